//! Languages by their codes: what to call them and how they are written.

use crate::metric::Metric;

/// Code, name in English, and the scripts it is written in, as [`script`](crate::scorer::script)
/// names them.
const KNOWN: &[(&str, &str, &[&str])] = &[
    ("en", "English", &["Latin"]),
    ("hi", "Hindi", &["Devanagari"]),
    ("bn", "Bengali", &["Bengali"]),
    ("ta", "Tamil", &["Tamil"]),
    ("te", "Telugu", &["Telugu"]),
    ("kn", "Kannada", &["Kannada"]),
    ("ml", "Malayalam", &["Malayalam"]),
    ("mr", "Marathi", &["Devanagari"]),
    ("gu", "Gujarati", &["Gujarati"]),
    ("pa", "Punjabi", &["Gurmukhi", "Arabic"]),
    ("or", "Odia", &["Oriya"]),
    ("as", "Assamese", &["Bengali"]),
    ("ur", "Urdu", &["Arabic"]),
    ("ne", "Nepali", &["Devanagari"]),
    ("si", "Sinhala", &["Sinhala"]),
    ("sd", "Sindhi", &["Arabic", "Devanagari"]),
    ("sa", "Sanskrit", &["Devanagari"]),
    ("brx", "Bodo", &["Devanagari"]),
    ("doi", "Dogri", &["Devanagari"]),
    ("kok", "Konkani", &["Devanagari"]),
    ("ks", "Kashmiri", &["Arabic", "Devanagari"]),
    ("mai", "Maithili", &["Devanagari"]),
    ("mni", "Manipuri", &["Bengali", "Meetei_Mayek"]),
    ("sat", "Santali", &["Ol_Chiki", "Devanagari"]),
    ("ar", "Arabic", &["Arabic"]),
    ("de", "German", &["Latin"]),
    ("es", "Spanish", &["Latin"]),
    ("fa", "Persian", &["Arabic"]),
    ("fr", "French", &["Latin"]),
    ("id", "Indonesian", &["Latin"]),
    ("it", "Italian", &["Latin"]),
    ("ja", "Japanese", &["Hiragana", "Katakana", "Han"]),
    ("ko", "Korean", &["Hangul"]),
    ("pt", "Portuguese", &["Latin"]),
    ("ru", "Russian", &["Cyrillic"]),
    ("sw", "Swahili", &["Latin"]),
    ("th", "Thai", &["Thai"]),
    ("tr", "Turkish", &["Latin"]),
    ("uk", "Ukrainian", &["Cyrillic"]),
    ("vi", "Vietnamese", &["Latin"]),
    ("zh", "Chinese", &["Han"]),
];

/// Words of a metric that is about other scripts, where a prompt in Latin letters is to be expected.
const MIXED: [&str; 8] = [
    "romanis",
    "roman letters",
    "latin letters",
    "transliterat",
    "mixing two or more languages",
    "mixed or switched",
    "switches of language",
    "from one language to another",
];

/// A language examples are asked for in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// The code rows carry, as the user gave it.
    pub code: String,
    /// Its name in English; the code itself where it is not known.
    pub name: String,
    /// Scripts it is written in; empty where they are not known.
    pub scripts: &'static [&'static str],
}

impl Language {
    /// The language of a code such as `hi` or `en-IN`.
    pub fn of(code: &str) -> Self {
        let code = code.trim();
        let known = KNOWN.iter().find(|(known, ..)| *known == base(code));
        let (plain, name, scripts) = known.copied().unwrap_or((code, code, &[]));
        let regional = plain != code.to_lowercase() && plain != code;
        Self {
            code: code.to_owned(),
            name: match regional {
                true => format!("{name} ({code})"),
                false => name.to_owned(),
            },
            scripts,
        }
    }

    /// Whether a prompt mostly written in `script` can be in this language: in one of its scripts,
    /// in digits and signs only, or, where `metric` is about such writing, in Latin letters.
    pub fn fits(&self, script: &str, metric: &Metric) -> bool {
        let latin = || script == "Latin" && mixes_scripts(metric);
        self.scripts.is_empty() || script == "Common" || self.scripts.contains(&script) || latin()
    }
}

/// A language label without its region, in lower case.
pub fn base(label: &str) -> String {
    let end = label.find(['-', '_']).unwrap_or(label.len());
    label[..end].trim().to_lowercase()
}

fn mixes_scripts(metric: &Metric) -> bool {
    let definition = metric.definition.to_lowercase();
    MIXED.iter().any(|word| definition.contains(word))
}

#[cfg(test)]
mod tests {
    use unicode_script::Script;

    use super::*;
    use crate::metric;

    #[test]
    fn scripts_bear_the_names_the_scorer_gives_them() {
        for (code, _, scripts) in KNOWN {
            for script in *scripts {
                let known = Script::from_full_name(script);
                assert!(known.is_some(), "{code}: there is no script {script}");
            }
        }
    }

    #[test]
    fn regions_are_no_other_languages() {
        let language = Language::of("hi-IN");
        assert_eq!(
            (language.code.as_str(), language.name.as_str()),
            ("hi-IN", "Hindi (hi-IN)")
        );
        assert_eq!(base("EN_us"), "en");
    }

    #[test]
    fn latin_letters_fit_hindi_only_where_the_metric_is_about_them() {
        let hindi = Language::of("hi");
        let plain = metric::find("task_completion_rate").unwrap();
        let names = [
            "transliterated_language_handling/recognition_of_romanized_input",
            "ability_to_handle_multiple_indian_languages_in_one_context",
        ];
        assert!(!hindi.fits("Latin", plain) && hindi.fits("Devanagari", plain));
        for name in names {
            assert!(hindi.fits("Latin", metric::find(name).unwrap()), "{name}");
        }
        assert!(!hindi.fits("Tamil", metric::find(names[0]).unwrap()));
    }

    #[test]
    fn a_language_without_known_scripts_is_not_checked() {
        let plain = metric::find("task_completion_rate").unwrap();
        assert!(Language::of("tlh").fits("Tamil", plain));
        assert!(Language::of("en").fits("Common", plain));
    }
}
