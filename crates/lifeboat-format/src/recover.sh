# Restores every record of the newest accepted snapshot of a replica.
# usage: sh recover.sh <replica folder> <identity file, or - for the break-glass passphrase> <output folder>
set -eu
umask 077
if [ $# -ne 3 ]; then
  echo "usage: sh recover.sh <replica folder> <identity file or -> <output folder>" >&2
  exit 2
fi
replica=$1
identity=$2
out=$3
mkdir -p "$out"
work=$out/.work
mkdir "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

say() { echo "recover: $*" >&2; }
stop() { say "$*"; exit 1; }
digest_of() { sha256sum < "$1" | cut -c 1-64; }
must_be() { [ "$(digest_of "$1")" = "$2" ] || stop "$1 is damaged"; }
# slice <file> <offset> <length>: the bytes of a file from an offset on.
slice() { tail -c "+$(($2 + 1))" "$1" | head -c "$3"; }

# 1. The manifest of the newest accepted snapshot: from HEAD, or by looking at all manifests.
manifest=$work/manifest.json
from_head() {
  [ -f "$replica/HEAD" ] || return 1
  if [ "$(jq -r '.accepted_manifest != null' "$replica/HEAD")" = true ]; then
    jq -j .manifest "$replica/HEAD" > "$work/newest.json" || return 1
    expected=$(jq -r .accepted.manifest "$work/newest.json") || return 1
    jq -j .accepted_manifest "$replica/HEAD" > "$manifest" || return 1
  else
    expected=$(jq -r .entry "$replica/HEAD" | jq -r .manifest) || return 1
    jq -j .manifest "$replica/HEAD" > "$manifest" || return 1
  fi
  [ "$(digest_of "$manifest")" = "$expected" ] || return 1
  [ "$(jq -r .gate.verdict "$manifest")" = accepted ]
}
from_manifests() {
  for file in "$replica"/manifests/*/*; do
    jq -r 'select(.gate.verdict == "accepted") | "\(.sequence) " + input_filename' "$file" 2> /dev/null || :
  done | sort -rn > "$work/manifests"
  while read -r sequence file; do
    name=${file##*/}
    # Only what the log names is a snapshot.
    if [ "$(digest_of "$file")" = "$name" ] && grep -r -a -q "$name" "$replica/log/tile/entries"; then
      cp "$file" "$manifest"
      return 0
    fi
  done < "$work/manifests"
  return 1
}
from_head 2> /dev/null || {
  say "HEAD is missing, damaged or names no accepted snapshot; looking at all manifests"
  from_manifests || stop "there is no accepted snapshot"
}
say "snapshot $(jq -r '"\(.sequence) of \(.site), taken \(.taken)"' "$manifest")"

# 2. The epoch secret, an age identity file that opens everything else.
number=$(jq -r .epoch.number "$manifest")
if [ "$identity" = - ]; then
  sealed=$replica/epochs/$number/passphrase.age
  must_be "$sealed" "$(jq -r .epoch.passphrase.sha256 "$manifest")"
  age -d -o "$work/epoch.txt" "$sealed"
else
  sealed=$replica/epochs/$number/recipients.age
  must_be "$sealed" "$(jq -r .epoch.recipients.sha256 "$manifest")"
  age -d -i "$identity" -o "$work/epoch.txt" "$sealed"
fi
open() { age -d -i "$work/epoch.txt" "$1"; }

# 3. The dictionaries, by the id that compressed records name.
jq -r '.dicts[] | "\(.sha256) \(.id)"' "$manifest" > "$work/dicts"
while read -r name id; do
  must_be "$replica/dicts/$name" "$name"
  open "$replica/dicts/$name" > "$work/dict.$id"
done < "$work/dicts"

# 4. The packs are whole.
jq -r '.packs[].sha256' "$manifest" > "$work/packs"
while read -r name; do
  pack=$replica/packs/$(printf '%.2s' "$name")/$name
  if [ ! -f "$pack" ] || [ "$(digest_of "$pack")" != "$name" ]; then
    say "pack $name is missing or damaged; records in it may be lost"
    failures=$((failures + 1))
  fi
done < "$work/packs"

# 5. The index: where each record lies, and whom the records are about.
: > "$work/base.locator"; : > "$work/delta.locator"; : > "$work/base.directory"; : > "$work/delta.directory"
for which in base delta; do
  name=$(jq -r ".indexes.$which.sha256 // empty" "$manifest")
  [ -n "$name" ] || continue
  index=$replica/indexes/$(printf '%.2s' "$name")/$name
  must_be "$index" "$name"
  jq -r ".indexes.$which.parts[] | \"\(.kind) \(.offset) \(.length) \(.sha256)\"" "$manifest" > "$work/parts"
  while read -r kind offset length digest; do
    [ "$kind" != directory-root ] || continue
    slice "$index" "$offset" "$length" > "$work/part"
    must_be "$work/part" "$digest"
    open "$work/part" | zstd -dqc >> "$work/$which.$kind"
  done < "$work/parts"
done
# A row of the delta replaces the row of the base; "x" removes it.
jq -rn 'reduce inputs as $row ({}; .[$row.k] = $row) | .[] | select(.t != "x")
  | "\(.k) packs/\(.p[0:2])/\(.p) \(.o) \(.l) \(.h)"' \
  "$work/base.locator" "$work/delta.locator" > "$work/records"
{
  jq -cn --slurpfile delta "$work/delta.locator" \
    '(reduce $delta[] as $row ({}; .[$row.k] = true)) as $changed | inputs | select($changed[.k] | not)' \
    "$work/base.directory"
  cat "$work/delta.directory"
} > "$out/directory.ndjson"

# 6. The records. A compressed record names its dictionary in the header of its zstd frame.
dictionary_id() {
  set -- $(od -An -v -tu1 -N10 "$1")
  width=$(($5 % 4))
  shift $((6 - $5 / 32 % 2))
  case $width in
    0) echo 0 ;;
    1) echo "$1" ;;
    2) echo $(($1 + 256 * $2)) ;;
    3) echo $(($1 + 256 * $2 + 65536 * $3 + 16777216 * $4)) ;;
  esac
}
restore() {
  slice "$2" "$3" "$4" > "$work/blob" || return 1
  [ "$(digest_of "$work/blob")" = "$5" ] || return 1
  open "$work/blob" > "$work/record.zst" || return 1
  id=$(dictionary_id "$work/record.zst")
  if [ "$id" = 0 ]; then
    zstd -dqc "$work/record.zst" > "$out/$1.json"
  else
    zstd -dqc -D "$work/dict.$id" "$work/record.zst" > "$out/$1.json"
  fi
}
restored=0
while read -r key pack offset length digest; do
  set -- "$replica/$pack"*
  if restore "$key" "$1" "$offset" "$length" "$digest" 2> /dev/null; then
    restored=$((restored + 1))
  else
    rm -f "$out/$key.json"
    say "record $key could not be restored"
    failures=$((failures + 1))
  fi
done < "$work/records"
say "restored $restored records, $failures failures"
[ "$failures" -eq 0 ]
