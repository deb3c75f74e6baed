// One message by Node (18 or newer), and what became of it.
const url = process.env.SMSGATE_URL;
const headers = {
  Authorization: `Bearer ${process.env.SMSGATE_API_KEY}`,
  "Content-Type": "application/json",
};

async function ask(path, body) {
  const method = body === undefined ? "GET" : "POST";
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.code}: ${answer.detail}`);
  return answer;
}

const text = "Your parcel is on its way";
const sent = await ask("/v1/messages", { to: "+8613812345678", from: "SHOP", text });
console.log(sent.id, sent.status);

let message = await ask(`/v1/messages/${sent.id}`);
while (!message.final) {
  await new Promise((later) => setTimeout(later, 200));
  message = await ask(`/v1/messages/${sent.id}`);
}
console.log(message.status);
