#!/bin/sh
# One message by curl, and what became of it.
set -eu

ask() { # a path, and more options for curl; a refusal is shown, and ends this
    path=$1 && shift
    if ! answer=$(curl --silent --show-error --fail-with-body "$SMSGATE_URL$path" \
        -H "Authorization: Bearer $SMSGATE_API_KEY" "$@"); then
        printf '%s\n' "$answer" >&2
        exit 1
    fi
}

ask /v1/messages --json '{"to":"+8613812345678","from":"SHOP","text":"Your parcel is on its way"}'
id=$(printf '%s' "$answer" | sed 's/.*"id":"\([a-z0-9_]*\)".*/\1/')
echo "$id accepted"

ask "/v1/messages/$id"
until printf '%s' "$answer" | grep --quiet '"final":true'; do
    sleep 0.2
    ask "/v1/messages/$id"
done
printf '%s\n' "$answer" | sed 's/.*"status":"\([a-z]*\)".*"final":true.*/\1/'
