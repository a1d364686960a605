//! What holds of every kind, over several languages.

use std::path::Path;

use unicode_segmentation::UnicodeSegmentation;

use super::damage::tests::row;
use super::kinds::{How, kinds};
use super::text::mark;
use super::*;
use crate::metric;

const ENGLISH: &str = "Boil 2 litres of water in a large pot for 10 minutes. Then add 500 grams of \
    rice and 3 spoons of salt. The recipe comes from Lucknow, where Ravi Kumar taught it to Meera. \
    It was first served in March, and it is still cooked there every Monday. Stir it, cover it, and \
    wait for 15 minutes. Serve it hot with curd!";
const HINDI: &str = "पहले 2 लीटर पानी को 10 मिनट तक उबालिए। फिर उसमें 500 ग्राम चावल और 3 चम्मच नमक डालिए। \
    यह तरीका लखनऊ का है और वहाँ के लोग इसे हर सोमवार को बनाते हैं। इसे ढककर रखिए, फिर 15 मिनट रुकिए। \
    गरमागरम परोसिए, दही के साथ अच्छा लगता है।";
const BENGALI: &str = "প্রথমে ২ লিটার জল ১০ মিনিট ফোটান। তারপর ৫০০ গ্রাম চাল আর ৩ চামচ নুন দিন। \
    এই রান্নাটা কলকাতায় খুব চলে, সবাই সোমবার এটা করেন। ঢেকে রেখে ১৫ মিনিট অপেক্ষা করুন। গরম গরম পরিবেশন করুন, সঙ্গে দই দিন।";
const TAMIL: &str = "முதலில் 2 லிட்டர் தண்ணீரை 10 நிமிடம் கொதிக்க வையுங்கள். பிறகு 500 கிராம் அரிசியும் 3 கரண்டி உப்பும் சேருங்கள். \
    இது சென்னையில் செய்யும் முறை; அவர்கள் இதைத் திங்கட்கிழமை செய்கிறார்கள். மூடி வைத்து 15 நிமிடம் காத்திருங்கள். சூடாகப் பரிமாறுங்கள், தயிர் நன்றாக இருக்கும்.";
const FRENCH: &str = "Faites bouillir 2 litres d'eau. Ajoutez ensuite 500 grammes de riz. Attendez \
    15 minutes, puis servez chaud. La recette vient de la ville de Nantes, on la fait le dimanche.";
const JAPANESE: &str = "まず水を2リットル沸かします。次に米を500グラム入れます。15分待ってください。熱いうちに出します。";

fn corpus() -> Vec<Row> {
    let answers = [
        (ENGLISH, "en"),
        (HINDI, "hi"),
        (BENGALI, "bn"),
        (TAMIL, "ta"),
        (FRENCH, "fr"),
        (JAPANESE, "ja"),
    ];
    let others = [
        (
            "Ask Anil Sharma at the bank. He opens accounts in Pune on weekdays.",
            "en",
        ),
        (
            "बैंक में खाता खुलवाने के लिए आधार और पैन साथ ले जाइए। फ़ॉर्म वहीं मिलता है।",
            "hi",
        ),
        ("ব্যাঙ্কে খাতা খুলতে আধার আর প্যান নিয়ে যান। ফর্ম ওখানেই পাবেন।", "bn"),
        (
            "வங்கியில் கணக்கு தொடங்க ஆதார், பான் கொண்டு செல்லுங்கள். படிவம் அங்கேயே கிடைக்கும்.",
            "ta",
        ),
        (
            "Apportez une pièce d'identité à la banque. Le formulaire est sur place.",
            "fr",
        ),
        (
            "銀行には身分証を持って行きます。用紙はそこにあります。",
            "ja",
        ),
    ];
    let cook = answers.map(|(text, code)| {
        row(
            "task_completion_rate",
            &format!("cook {code}"),
            text,
            Some(code),
        )
    });
    let bank =
        others.map(|(text, code)| row("accuracy", &format!("bank {code}"), text, Some(code)));
    cook.into_iter().chain(bank).collect()
}

/// Every kind done to every row of the corpus to a dial.
fn all_damage(dial: f32) -> Vec<(&'static Kind, Row, Option<Damage>)> {
    let rows = corpus();
    let goods: Vec<Good> = rows.iter().map(Good::new).collect();
    let pool = Pool::new(&goods);
    let mut all = Vec::new();
    for kind in kinds() {
        for good in &goods {
            let done = damage(kind, good, &pool, dial, good.seed(5, &kind.name));
            all.push((kind, good.row.clone(), done));
        }
    }
    all
}

#[test]
fn every_kind_changes_the_answers_of_every_language_with_templates() {
    for (kind, row, done) in all_damage(0.7) {
        let long = row.user.starts_with("cook") && templates::language(&row).is_some();
        assert!(done.is_some() || !long, "{} leaves {}", kind.name, row.user);
        if let Some(done) = done {
            assert_ne!(done.text, row.response, "{}", kind.name);
            assert!(
                done.dial > 0.0 && done.dial <= 1.0,
                "{}: {}",
                kind.name,
                done.dial
            );
        }
    }
}

#[test]
fn kinds_that_need_no_templates_reach_the_other_languages() {
    let reached = |code: &str| {
        let of = format!("cook {code}");
        let all = all_damage(0.7).into_iter();
        all.filter(|(_, row, done)| row.user == of && done.is_some())
            .map(|(kind, ..)| kind.name.as_str())
            .collect::<Vec<_>>()
    };
    for code in ["fr", "ja"] {
        let names = reached(code);
        for name in [
            "word-order",
            "grammar",
            "spelling",
            "punctuation",
            "repetition",
            "splice",
            "wrong-language",
            "wrong-numbers",
            "truncation",
        ] {
            assert!(names.contains(&name), "{code}: {name}");
        }
        assert!(
            !names.contains(&"insults") && !names.contains(&"compliance"),
            "{code}"
        );
    }
}

#[test]
fn a_full_dial_damages_more_than_a_small_one() {
    for ((kind, row, low), (_, _, high)) in all_damage(0.2).into_iter().zip(all_damage(1.0)) {
        let (Some(low), Some(high)) = (low, high) else {
            continue;
        };
        assert!(low.dial <= high.dial, "{}", kind.name);
        let distance = |done: &Damage| {
            strsim::generic_levenshtein(
                &row.response.chars().collect::<Vec<_>>(),
                &done.text.chars().collect::<Vec<_>>(),
            )
        };
        let graded =
            row.user.starts_with("cook") && !matches!(kind.how, How::Comply { .. } | How::Names);
        let (few, many) = (distance(&low), distance(&high));
        assert!(
            !graded || few < many,
            "{} {}: {few} and {many}",
            kind.name,
            row.user
        );
    }
}

#[test]
fn no_sign_is_ever_left_without_its_letter() {
    for dial in [0.3, 1.0] {
        for (kind, row, done) in all_damage(dial) {
            let text = done.map(|done| done.text).unwrap_or_default();
            let lone = text
                .graphemes(true)
                .find(|cluster| cluster.starts_with(mark));
            let spaced = text
                .graphemes(true)
                .any(|c| c.starts_with(' ') && c.chars().any(mark));
            assert!(
                lone.is_none() && !spaced,
                "{} {}: {text}",
                kind.name,
                row.user
            );
        }
    }
}

fn everything() -> CorruptArgs {
    CorruptArgs {
        per_row: 0,
        ..CorruptArgs::default()
    }
}

#[test]
fn rows_hold_what_training_and_readers_need() {
    let rows = corpus();
    let made = corrupt(&rows, &everything()).unwrap();
    assert_eq!(rows, corpus(), "the originals stay as they are");
    let lines: Vec<String> = made
        .iter()
        .map(|row| Value::Object(row.fields.clone()).to_string())
        .collect();
    let read = rows::parse(
        lines.join("\n").into_bytes(),
        Path::new("made.jsonl"),
        &Options::JUDGED,
    )
    .unwrap();
    assert_eq!(read.rows.len(), made.len());
    for (read, made) in read.rows.iter().zip(&made) {
        let same = |row: &Row| (row.task(), row.language.clone(), row.source.clone());
        assert_eq!((same(read).1, same(read).2), (same(made).1, same(made).2));
        assert_eq!(
            (&read.user, &read.response, &read.metric),
            (&made.user, &made.response, &made.metric)
        );
        assert!((read.score.unwrap() - made.score.unwrap()).abs() < 1e-3);
        assert!((0.0..=10.0).contains(&read.score.unwrap()));
        assert!(
            read.source
                .as_deref()
                .unwrap()
                .starts_with("synthetic:corruption/")
        );
        assert_eq!(read.fields["of"].as_str().unwrap().len(), 16);
        assert!(metric::find(&read.metric).is_some() && read.definition.is_none());
    }
}

#[test]
fn undamaged_answers_score_high_and_prompts_stay_but_for_harmful_requests() {
    let rows = corpus();
    let made = corrupt(&rows, &everything()).unwrap();
    assert!(made.iter().any(|row| row.fields["dial"] == 0.0));
    for row in &made {
        let requested = ["compliance", "jailbreak"]
            .iter()
            .any(|kind| row.source.as_deref().unwrap().ends_with(kind));
        assert!(requested || rows.iter().any(|original| original.user == row.user));
        let undamaged = rows
            .iter()
            .any(|original| original.response == row.response);
        if row.fields["dial"] == 0.0 {
            assert!(row.score.unwrap() >= 9.0 && (undamaged || requested));
        } else {
            // A donor's whole answer is another row's own, under the wrong prompt.
            let original = rows.iter().find(|original| original.user == row.user);
            assert!(original.is_none_or(|original| original.response != row.response));
        }
    }
}

#[test]
fn neither_order_nor_other_kinds_change_a_row_s_damage() {
    let rows = corpus();
    let key = |row: &Row| {
        row.fields
            .iter()
            .map(|(_, v)| v.to_string())
            .collect::<Vec<_>>()
    };
    let sorted = |rows: &[Row], options: &CorruptArgs| {
        let keys = corrupt(rows, options).unwrap();
        let mut keys: Vec<_> = keys
            .iter()
            .filter(|row| row.fields["dial"] != 0.0)
            .map(key)
            .collect();
        keys.sort();
        keys
    };
    let backwards: Vec<Row> = rows.iter().rev().cloned().collect();
    let all = sorted(&rows, &everything());
    assert_eq!(all, sorted(&backwards, &everything()));
    // An undamaged row may stand under another kind, where both chose its metric.
    let some = CorruptArgs {
        kinds: vec!["splice".into(), "grammar".into()],
        ..everything()
    };
    let some = sorted(&rows, &some);
    assert!(!some.is_empty() && some.iter().all(|key| all.contains(key)));
    assert_ne!(
        all,
        sorted(
            &rows,
            &CorruptArgs {
                seed: 2,
                ..everything()
            }
        )
    );
}

#[test]
fn only_good_rows_that_are_not_synthetic_are_damaged() {
    let mut poor = row("accuracy", "a", ENGLISH, Some("en"));
    poor.score = Some(7.9);
    let mut synthetic = row("accuracy", "b", ENGLISH, Some("en"));
    synthetic.source = Some("synthetic:mismatch".into());
    let code = row("accuracy", "c", "```\nlet a = 1;\n```", Some("en"));
    assert!(
        corrupt(&[poor, synthetic, code], &everything())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_metric_in_the_judge_s_own_words_is_kept_with_its_words() {
    let mut rows = corpus();
    for row in &mut rows {
        row.metric = "Is it practical?".into();
        row.definition = Some("10: practical. 0: not.".into());
    }
    let options = CorruptArgs {
        kinds: vec!["splice".into()],
        ..everything()
    };
    let made: Vec<Row> = (1..9)
        .flat_map(|seed| {
            corrupt(
                &rows,
                &CorruptArgs {
                    seed,
                    ..options.clone()
                },
            )
            .unwrap()
        })
        .collect();
    let own: Vec<&Row> = made
        .iter()
        .filter(|row| row.metric == "Is it practical?")
        .collect();
    assert!(
        !own.is_empty()
            && own
                .iter()
                .all(|row| row.definition.is_some() && row.score.unwrap() < 9.5)
    );
}

#[test]
fn odd_answers_do_no_harm() {
    let megabyte = "a1. ".repeat(260_000);
    let marks = "ि".repeat(300) + " ्";
    let texts = [
        "",
        " ",
        "A",
        "?",
        "।",
        "7",
        "ି",
        "👩‍👩‍👧",
        "\n\n\n",
        "1. 2. 3.",
        &marks,
        &megabyte,
    ];
    let rows: Vec<Row> = texts
        .iter()
        .map(|text| row("accuracy", "u", text, None))
        .collect();
    assert!(corrupt(&rows, &everything()).is_ok());
    let long = row("accuracy", "u", &HINDI.repeat(700), Some("hi"));
    assert!(
        corrupt(
            &[long],
            &CorruptArgs {
                per_row: 4,
                ..everything()
            }
        )
        .unwrap()
        .len()
            >= 4
    );
}

#[test]
fn per_row_limits_the_damaged_answers() {
    let rows = corpus();
    let count = |per_row| {
        let made = corrupt(
            &rows,
            &CorruptArgs {
                per_row,
                ..everything()
            },
        )
        .unwrap();
        made.iter()
            .filter(|row| row.fields["dial"] != 0.0)
            .map(|row| row.response.clone())
            .collect::<HashSet<_>>()
            .len()
    };
    assert!(count(1) <= rows.len() && count(2) > count(1));
}

#[test]
fn dials_are_ranges_or_lists_above_zero() {
    let dial = |text: &str| text.parse::<Dial>();
    assert_eq!(dial("0.2..1"), Ok(Dial::Range(0.2, 1.0)));
    assert_eq!(dial("0.25, 0.5,1"), Ok(Dial::List(vec![0.25, 0.5, 1.0])));
    for bad in ["0", "1.1", "0.9..0.1", "..", "", "NaN", "0.1..x"] {
        assert!(dial(bad).is_err(), "{bad}");
    }
    for seed in 0..50 {
        let drawn = Dial::Range(0.3, 0.4).draw(&mut Random::new(seed));
        assert!((0.3..=0.4).contains(&drawn));
    }
}

#[test]
fn an_output_of_another_form_and_an_unknown_kind_are_refused() {
    let args = AugmentArgs {
        files: Vec::new(),
        output: "out.csv".into(),
        corrupt: everything(),
    };
    assert!(run(&args).unwrap_err().to_string().contains(".jsonl"));
    let unknown = CorruptArgs {
        kinds: vec!["typos".into()],
        ..everything()
    };
    assert_eq!(
        corrupt(&corpus(), &unknown).unwrap_err().kind(),
        ErrorKind::Input
    );
}
