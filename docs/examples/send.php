<?php
// One message by PHP (8 or newer) without extensions, and what became of it.
function ask(string $path, ?array $body = null): array
{
    $options = [
        'method' => $body === null ? 'GET' : 'POST',
        'header' => [
            'Authorization: Bearer ' . getenv('SMSGATE_API_KEY'),
            'Content-Type: application/json',
        ],
        'content' => $body === null ? '' : json_encode($body),
        'ignore_errors' => true,
    ];
    $context = stream_context_create(['http' => $options]);
    $answer = json_decode(file_get_contents(getenv('SMSGATE_URL') . $path, false, $context), true);
    if (isset($answer['code'])) {
        throw new RuntimeException($answer['code'] . ': ' . $answer['detail']);
    }
    return $answer;
}

$text = 'Your parcel is on its way';
$sent = ask('/v1/messages', ['to' => '+8613812345678', 'from' => 'SHOP', 'text' => $text]);
echo $sent['id'], ' ', $sent['status'], "\n";

while (!($message = ask('/v1/messages/' . $sent['id']))['final']) {
    usleep(200_000);
}
echo $message['status'], "\n";
