# Size and SHA-256 of a file. Arguments: path.
set -eu
if [ ! -f "$1" ]; then
    echo "$1 is not there, or is not a file" >&2
    exit 1
fi
size=$(stat -Lc %s "$1" 2>/dev/null || wc -c <"$1")
if command -v sha256sum >/dev/null; then
    sum=$(sha256sum <"$1")
elif command -v openssl >/dev/null; then
    sum=$(openssl dgst -sha256 -r <"$1")
else
    sum=$(shasum -a 256 <"$1")
fi
echo "lockkeeper-file $((size)) ${sum%% *}"
