//! The page's words: every language has every message, every message that the page asks for is
//! there, and none is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Messages = BTreeMap<String, String>;

/// Keys that a language may leave out: the catalogue's own titles stand in.
const OPTIONAL: [&str; 2] = ["metric.", "family."];
const PLURALS: [&str; 6] = [".zero", ".one", ".two", ".few", ".many", ".other"];
/// Endings of file names, which look like keys.
const FILES: [&str; 5] = [".js", ".json", ".css", ".wasm", ".safetensors"];

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The languages that `i18n.js` offers, one line each.
fn languages() -> Vec<String> {
    let code = read(&web().join("i18n.js"));
    let (_, after) = code
        .split_once("LANGUAGES = ")
        .expect("the list of languages");
    let (list, _) = after.split_once("});").expect("its end");
    let keys = list.lines().filter_map(|line| line.split_once(": \""));
    keys.map(|(key, _)| key.trim().trim_matches('"').to_owned())
        .collect()
}

fn messages(language: &str) -> Messages {
    let path = web().join(format!("messages/{language}.json"));
    serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{language}.json: {error}"))
}

/// The page's own code; what others wrote has no messages.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of the page");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true if path.ends_with("vendor") => Vec::new(),
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "js"))
        .collect()
}

/// The string literals in `code` that start like a key of `owners`: whole keys, and beginnings that
/// end in a dot, to which the code adds the rest.
fn keys_in(code: &str, english: &Messages, owners: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for quote in ['"', '`'] {
        for (at, _) in code.match_indices(quote) {
            let rest = &code[at + 1..];
            let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
            let end = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            let whole = after.starts_with(quote);
            let beginning = after.starts_with("${") && key.ends_with('.');
            let owned = key
                .split_once('.')
                .is_some_and(|(owner, _)| owners.contains(owner));
            if owned && (whole || beginning) && (english.contains_key(key) || !is_file(key)) {
                found.insert(key.to_owned());
            }
        }
    }
    found
}

fn is_file(name: &str) -> bool {
    FILES.iter().any(|ending| name.ends_with(ending))
}

/// Keys in the `data-t` attributes of the markup.
fn keys_in_markup(markup: &str) -> BTreeSet<String> {
    let attributes = [
        "data-t=\"",
        "data-t-label=\"",
        "data-t-placeholder=\"",
        "data-t-title=\"",
    ];
    let values = attributes
        .iter()
        .flat_map(|attribute| markup.split(attribute).skip(1));
    values
        .filter_map(|value| Some(value.split_once('"')?.0.to_owned()))
        .collect()
}

fn used(english: &Messages) -> BTreeSet<String> {
    let owners = english
        .keys()
        .filter_map(|key| Some(key.split_once('.')?.0.to_owned()));
    let owners: BTreeSet<String> = owners.collect();
    let mut used = keys_in_markup(&read(&web().join("../index.html")));
    for path in sources(&web()) {
        used.extend(keys_in(&read(&path), english, &owners));
    }
    used.retain(|key| !is_optional(key));
    used
}

/// The ends of keys whose beginning is a value of the code: `${prefix}.export`.
fn endings() -> BTreeSet<String> {
    let code = sources(&web())
        .iter()
        .map(|path| read(path))
        .collect::<String>();
    let ends = code.split("`${").skip(1).filter_map(|part| {
        let (template, _) = part.split_once('`')?;
        let (_, end) = template.split_once('}')?;
        let is_key = |c: char| c.is_ascii_lowercase() || ".-".contains(c);
        (end.starts_with('.') && end.chars().all(is_key)).then(|| end.to_owned())
    });
    ends.filter(|end| !is_file(end)).collect()
}

fn is_optional(key: &str) -> bool {
    OPTIONAL.iter().any(|prefix| key.starts_with(prefix))
}

/// The key that the code names: without the plural's ending, where there is a form for all others.
fn stem<'a>(messages: &Messages, key: &'a str) -> &'a str {
    let stem = PLURALS.iter().find_map(|plural| key.strip_suffix(plural));
    let plural = |stem: &&str| messages.contains_key(&format!("{stem}.other"));
    stem.filter(plural).unwrap_or(key)
}

fn places(text: &str) -> BTreeSet<&str> {
    let parts = text.split('{').skip(1);
    parts
        .filter_map(|part| Some(part.split_once('}')?.0))
        .collect()
}

#[test]
fn every_language_has_every_message_and_no_other() {
    let english = messages("en");
    let languages = languages();
    assert!(
        languages.len() > 1 && languages.contains(&"hi".to_owned()),
        "{languages:?}"
    );
    for language in languages {
        let own = messages(&language);
        // Languages differ in their plural forms, so those count once.
        let keys = |messages: &Messages| -> BTreeSet<String> {
            let needed = messages.keys().filter(|key| !is_optional(key));
            needed.map(|key| stem(messages, key).to_owned()).collect()
        };
        let (wanted, found) = (keys(&english), keys(&own));
        let missing: Vec<_> = wanted.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&wanted).collect();
        assert!(missing.is_empty(), "{language}.json lacks {missing:?}");
        assert!(
            unknown.is_empty(),
            "{language}.json has the unknown {unknown:?}"
        );
        assert!(
            own.values().all(|text| !text.trim().is_empty()),
            "{language}.json has empty messages"
        );
    }
}

#[test]
fn every_translation_fills_the_same_places() {
    let english = messages("en");
    for language in languages() {
        let messages = messages(&language);
        for (key, text) in &messages {
            let stem = stem(&messages, key);
            let last_form = format!("{stem}.other");
            let original = english.get(key).or_else(|| english.get(&last_form));
            let Some(original) = original else { continue };
            let (own, wanted) = (places(text), places(original));
            // A plural's other forms may do without the number.
            let fits = match stem == key || *key == last_form {
                true => own == wanted,
                false => own.is_subset(&wanted),
            };
            assert!(fits, "{language}.json, {key}: {own:?}, English {wanted:?}");
        }
    }
}

#[test]
fn every_key_that_the_page_uses_exists() {
    let english = messages("en");
    let stems = english.keys().map(|key| stem(&english, key));
    let known: BTreeSet<&str> = stems.chain(english.keys().map(String::as_str)).collect();
    for key in used(&english) {
        let there = match key.ends_with('.') {
            true => known.iter().any(|known| known.starts_with(&key)),
            false => known.contains(key.as_str()),
        };
        assert!(there, "no message for {key}");
    }
}

#[test]
fn no_message_is_left_over() {
    let english = messages("en");
    let (used, endings) = (used(&english), endings());
    let beginnings: Vec<&String> = used.iter().filter(|key| key.ends_with('.')).collect();
    for key in english.keys().filter(|key| !is_optional(key)) {
        let stem = stem(&english, key);
        let named = used.contains(key) || used.contains(stem);
        let begun = beginnings
            .iter()
            .any(|begin| key.starts_with(begin.as_str()));
        let ended = endings.iter().any(|ending| stem.ends_with(ending.as_str()));
        assert!(named || begun || ended, "nothing uses {key}");
    }
}

fn in_web(path: &Path) -> String {
    let inside = path.strip_prefix(web()).expect("a file of the page");
    inside.to_string_lossy().into_owned()
}

/// The kinds of error: those of the library and those that the page's code makes itself. The element
/// for other pages hands its own to those pages, in English.
fn kinds_of_error() -> BTreeSet<String> {
    let library = read(&web().join("../src/error.rs"));
    let library = library.lines().filter_map(|line| line.split_once("=> \""));
    let mut kinds: BTreeSet<String> = library
        .filter_map(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    let of_element = |path: &PathBuf| {
        ["widget", "embed"]
            .iter()
            .any(|part| in_web(path).starts_with(part))
    };
    for path in sources(&web()).into_iter().filter(|path| !of_element(path)) {
        let code = read(&path);
        for maker in ["new TouchstoneError(", "error: { kind: ", "return { kind: "] {
            let made = code.split(maker).skip(1).map(str::trim_start);
            let named = made.filter_map(|rest| Some(rest.strip_prefix('"')?.split_once('"')?.0));
            kinds.extend(named.map(str::to_owned));
        }
    }
    kinds
}

#[test]
fn every_kind_of_error_has_a_headline_and_advice() {
    let (english, kinds) = (messages("en"), kinds_of_error());
    assert!(
        kinds.contains("hash") && kinds.contains("deadline"),
        "{kinds:?}"
    );
    let listed = read(&web().join("error-words.js"));
    for kind in kinds {
        for key in [
            format!("shell.fault.{kind}"),
            format!("shell.advice.{kind}"),
        ] {
            assert!(english.contains_key(&key), "no message {key}");
        }
        let quoted = format!("\"{kind}\"");
        assert!(listed.contains(&quoted), "error-words.js lacks {kind}");
    }
}

#[test]
fn titles_in_other_languages_belong_to_the_catalogue() {
    let catalogue: serde_json::Value =
        serde_json::from_str(&read(&web().join("../src/metric/catalogue.json"))).unwrap();
    let all = |field: &str| -> BTreeSet<&str> {
        let metrics = catalogue.as_array().unwrap().iter();
        metrics
            .filter_map(|metric| metric[field].as_str())
            .collect()
    };
    let (names, parents) = (all("name"), all("parent"));
    for language in languages() {
        for key in messages(&language).keys().filter(|key| is_optional(key)) {
            let name = key
                .strip_prefix("metric.")
                .filter(|name| names.contains(name));
            let family = key
                .strip_prefix("family.")
                .filter(|name| parents.contains(name));
            assert!(name.or(family).is_some(), "{language}.json: {key}");
        }
    }
}
