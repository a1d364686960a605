#!/bin/sh
# Draws the icons from ../icon.svg with rsvg-convert and optipng (Debian: librsvg2-bin, optipng).
# Run after a change of it.
set -eu
cd "$(dirname "$0")"

# The mark on the page's own ground: systems cut such icons to their shape, and keep the middle 80 %.
on_ground() {
  printf '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" fill="#f4f2ec"/>'
  printf '<g transform="translate(16 16) scale(%s) translate(-16 -16)">' "$1"
  sed '1d;$d' ../icon.svg
  printf '</g></svg>'
}

for size in 192 512; do
  rsvg-convert --width "$size" ../icon.svg --output "icon-$size.png"
done
on_ground 0.74 | rsvg-convert --width 512 --output maskable-512.png
on_ground 0.8 | rsvg-convert --width 180 --output apple-touch-icon.png
optipng -quiet -o7 -strip all *.png
