#!/bin/sh
# What is installed, as a CycloneDX 1.5 bill of materials.
set -eu
. /etc/os-release
printf '{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{"component":{"type":"container","name":"orbridge","version":"%s"}},"components":[' \
  "$(dpkg-query -W -f '${Version}' orbridge)"
dpkg-query -W -f '{"type":"library","name":"${Package}","version":"${Version}","purl":"pkg:deb/debian/${Package}@${Version}?arch=${Architecture}"},\n' |
  sed '$ s/,$//; s/\(purl":"[^"]*\)+/\1%2B/; :a; s/\(purl":"[^"]*\)+/\1%2B/; ta'
printf '],"properties":[{"name":"os","value":"%s"}]}\n' "$PRETTY_NAME"
