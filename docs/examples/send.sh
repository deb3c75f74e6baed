#!/bin/sh
# One message by curl, and what became of it.
set -eu
key="Authorization: Bearer $SMSGATE_API_KEY"

answer=$(curl --silent --fail-with-body "$SMSGATE_URL/v1/messages" -H "$key" \
    --json '{"to":"+8613812345678","from":"SHOP","text":"Your parcel is on its way"}')
id=$(printf '%s' "$answer" | sed 's/.*"id":"\([a-z0-9_]*\)".*/\1/')
echo "$id accepted"

until answer=$(curl --silent --fail-with-body "$SMSGATE_URL/v1/messages/$id" -H "$key") &&
    printf '%s' "$answer" | grep --quiet '"final":true'; do
    sleep 0.2
done
printf '%s\n' "$answer" | sed 's/.*"status":"\([a-z]*\)".*"final":true.*/\1/'
