//! Whatever is in the file: an answer, and no panic. A wrong file has at least one problem, inside the file.
use drawerbridge::{
    config::{self, EXAMPLE, Problems, Settings},
    device::profile,
};
use proptest::prelude::*;

use crate::{FINE, folder};

fn answered(text: &str, result: Result<Settings, Problems>) {
    let Err(problems) = result else { return };
    assert!(problems.iter().count() > 0);
    let lines = text.split('\n').count();
    for problem in &problems {
        assert!(problem.line >= 1 && problem.line <= lines, "{problem}\nin {text:?}");
        assert!(problem.column >= 1 && !problem.what.is_empty() && !problem.remedy.is_empty(), "{problem}");
        assert!(!problem.to_string().contains('\n'), "{problem}");
    }
}

/// Text that looks like TOML, with the keys that are read and values of every type.
fn toml_like() -> impl Strategy<Value = String> {
    let keys: Vec<&'static str> = FINE.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| w.len() > 1).collect();
    let key = prop_oneof![4 => prop::sample::select(keys), 1 => Just("timing"), 1 => Just("x.y"), 1 => Just("\"\"")];
    let scalar = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        "\\PC{0,12}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "0x1F",
            "1e400",
            "nan",
            "1979-05-27",
            "0b1",
            "'''",
            "\"\"\"",
            "[]",
            "{}",
            "-0",
            "\"gid://shopify//\""
        ])
        .prop_map(str::to_owned),
    ];
    let value = scalar.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(inner, 0..3)
                .prop_map(|items| items
                    .iter()
                    .enumerate()
                    .map(|(n, v)| format!("k{n} = {v}"))
                    .collect::<Vec<_>>()
                    .join(", "))
                .prop_map(|items| format!("{{ {items} }}")),
        ]
    });
    let line = prop_oneof![
        4 => (key.clone(), value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => key.clone().prop_map(|key| format!("[{key}]")),
        1 => key.clone().prop_map(|key| format!("[[{key}]]")),
        1 => (key.clone(), key).prop_map(|(a, b)| format!("[{a}.{b}]")),
    ];
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

/// The sample with some pieces cut out, put in, doubled or exchanged.
fn mutated(sample: &'static str) -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..40_usize, "\\PC{0,6}|[\\[\\]{}=\",.#\n\t0-9-]{1,4}", 0..3_u8);
    prop::collection::vec(change, 1..6).prop_map(move |changes| {
        let mut text: Vec<char> = sample.chars().collect();
        for (index, length, new, how) in changes {
            if text.is_empty() {
                break;
            }
            let start = index.index(text.len());
            let end = (start + length).min(text.len());
            let cut: Vec<char> = match how {
                0 => new.chars().collect(),
                1 => text[start..end].iter().copied().chain(text[start..end].iter().copied()).collect(),
                _ => Vec::new(),
            };
            text.splice(start..end, cut);
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_answered(text in "\\PC{0,200}") {
        answered(&text, config::load_text("f", &text, folder().path()));
    }

    #[test]
    fn toml_of_any_shape_is_answered(text in toml_like()) {
        answered(&text, config::load_text("f", &text, folder().path()));
        prop_assert!(profile::parse("f", "x", &text).is_err());
    }

    #[test]
    fn a_damaged_sample_is_answered(text in mutated(FINE)) {
        answered(&text, config::load_text("f", &text, folder().path()));
    }

    #[test]
    fn a_damaged_example_is_answered(text in mutated(EXAMPLE)) {
        answered(&text, config::load_text("f", &text, folder().path()));
    }

    #[test]
    fn a_damaged_profile_is_answered(text in mutated(include_str!("../../devices/epson-tm-t88/profile.toml"))) {
        if let Err(problems) = profile::parse("f", "x", &text) {
            prop_assert!(problems.iter().count() > 0);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = folder();
        let file = folder.path().join("drawerbridge.toml");
        std::fs::write(&file, &bytes).unwrap();
        if let Err(problems) = config::load(&file) {
            prop_assert!(problems.iter().count() > 0);
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_answered() {
    let folder = folder();
    for end in (0..=FINE.len()).filter(|end| FINE.is_char_boundary(*end)) {
        answered(&FINE[..end], config::load_text("f", &FINE[..end], folder.path()));
    }
}

#[test]
fn deep_and_endless_text_is_answered() {
    let folder = folder();
    for text in [
        "a = ".to_owned() + &"[".repeat(100_000),
        "a = ".to_owned() + &"{ a = ".repeat(50_000),
        "[a".to_owned() + &".a".repeat(50_000) + "]\n",
        "a = \"".to_owned() + &"x".repeat(900_000),
        "[[till]]\n".repeat(20_000),
        (0..20_000).map(|n| format!("k{n} = 1\n")).collect(),
        "timing.".repeat(1000) + "x = 1",
    ] {
        answered(&text, config::load_text("f", &text, folder.path()));
    }
}
