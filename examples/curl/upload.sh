#!/bin/sh
# Puts a file on a host with curl and what every Debian has: dd, sed, grep, sha256sum. Run it again after any break: it goes on.
#   sh examples/curl/upload.sh film.mov local:/inbox/film.mov
set -eu

API=${LONGSHORE_URL:-http://127.0.0.1:4000}/graphql
ATTEMPTS=30
PROBLEM='__typename ... on Problem { code message retryable }'

if [ $# -ne 2 ] || [ ! -f "$1" ]; then
  echo 'usage: upload.sh FILE HOST:/PATH' >&2
  exit 2
fi
source=$1
target=$2

# A string as JSON. Control characters in a path are not for this script.
quote() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }

# ask CURL-ARGUMENT...
ask() {
  if [ -n "${LONGSHORE_TOKEN:-}" ]; then set -- -H "authorization: Bearer $LONGSHORE_TOKEN" "$@"; fi
  curl -sS "$API" -H 'x-graphql-yoga-csrf: 1' "$@"
}

# operation QUERY [VARIABLE...]: the query with the file and further variables, as JSON.
operation() {
  query=$1
  shift
  printf '{ "query": %s, "variables": { "file": %s%s } }' "$(quote "$query")" "$file" "$*"
}

# number NAME: the first such field of the answer.
number() { printf '%s' "$answer" | grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d : -f 2; }

# Calls until there is an answer that is no reason to try again; ends the script when it is a refusal. $answer is what came.
settle() {
  attempt=1
  until answer=$("$@") && case $answer in *'"__typename":"TryAgainLater"'*) false ;; esac; do
    [ "$attempt" -lt "$ATTEMPTS" ] || give_up
    attempt=$((attempt + 1))
    sleep 1
  done
  case $answer in *'"errors":'* | *'"code":'*) give_up ;; esac
}

give_up() {
  printf 'upload: %s\n' "${answer:-no answer from $API}" >&2
  exit 1
}

ask_json() { operation "$@" | ask -H 'content-type: application/json' -d @-; }

chunk_bytes() { dd if="$source" bs="$chunk_size" skip=$(($1 - 1)) count=1 2>/dev/null; }

# Fields first, in this order, then the file.
send_chunk() {
  mutation="mutation (\$file: FileRef!, \$index: Int!, \$digest: String, \$chunk: Upload!) {
    uploadChunk(file: \$file, index: \$index, digest: \$digest, chunk: \$chunk) { $PROBLEM } }"
  operations=$(operation "$(printf '%s' "$mutation" | tr '\n' ' ')" ", \"index\": $1, \"digest\": \"$2\", \"chunk\": null")
  chunk_bytes "$1" | ask --form-string operations="$operations" -F map='{ "0": ["variables.chunk"] }' -F '0=@-;filename=chunk'
}

size=$(wc -c <"$source")
hash_code=sha256:$(sha256sum <"$source" | cut -d ' ' -f 1)
file="{ \"hostId\": $(quote "${target%%:*}"), \"fullPath\": $(quote "${target#*:}"), \"hashCode\": \"$hash_code\" }"

settle ask_json "query (\$file: FileRef!) { uploadStatus(file: \$file, size: $size) { $PROBLEM } }"
settle ask_json "query (\$file: FileRef!) { dirInfo(file: \$file) { $PROBLEM ... on DirInfo { chunkSize chunkCount uploadedCount missing { first last } } } }"

case $answer in *'"__typename":"UploadFinished"'*)
  echo "$target $hash_code"
  exit 0
  ;;
esac

chunk_size=$(number chunkSize)
chunk_count=$(number chunkCount)
echo "$(number uploadedCount) of $chunk_count chunks are there"
for range in $(printf '%s' "$answer" | grep -o '"first":[0-9]*,"last":[0-9]*' | tr -dc '0-9,\n'); do
  index=${range%,*}
  while [ "$index" -le "${range#*,}" ]; do
    settle send_chunk "$index" "$(chunk_bytes "$index" | sha256sum | cut -d ' ' -f 1)"
    echo "chunk $index of $chunk_count"
    index=$((index + 1))
  done
done

settle ask_json "mutation (\$file: FileRef!) { mergeFile(file: \$file, chunkCount: $chunk_count) { $PROBLEM } }"

# Server-sent events: one line a state. Whoever asks later gets the present state first. Status 10: the file is at its place; 0: lost.
watch_merge() {
  operation 'subscription ($file: FileRef!) { mergeProgress(file: $file) { phase percent problem { code message } } }' |
    ask -N -H 'accept: text/event-stream' -H 'content-type: application/json' -d @- |
    sed -un 's/^data: .*"phase":"\([A-Z]*\)","percent":\([0-9]*\).*"problem":\(.*\)}}}$/\1 \2 % \3/p' |
    while read -r phase percent sign problem; do
      echo "$phase $percent $sign"
      case $phase in
        DONE) exit 10 ;;
        FAILED | ABORTED)
          echo "upload: $problem" >&2
          exit 1
          ;;
      esac
    done
}
ending=0
watch_merge || ending=$?
case $ending in
  10) echo "$target $hash_code" ;;
  0)
    echo 'upload: the connection was lost during the merge, which goes on; run this again to see its end' >&2
    exit 1
    ;;
  *) exit 1 ;;
esac
