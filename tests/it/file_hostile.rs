//! Files that were written to do harm are refused, and soon: a test that hung or overflowed would not end well.

use crate::file::refused;
use plimsoll::file::{self, Format};
use proptest::prelude::*;

const FORMATS: [Format; 3] = [Format::Toml, Format::Yaml, Format::Json];

#[test]
fn long_files() {
    for format in FORMATS {
        refused(vec![b' '; 10 << 20], format, &["over 1048576 bytes"]);
        refused("[".repeat(1 << 20), format, &[""]);
        refused("{".repeat(1 << 20), format, &[""]);
        refused("a".repeat(1 << 20), format, &[""]);
        refused("\n".repeat(1 << 20), format, &[""]);
        refused("#".repeat(1 << 20), format, &[""]);
        refused("\"".repeat(1 << 20), format, &[""]);
    }
    refused("- ".repeat(1 << 19), Format::Yaml, &["no YAML"]);
    refused("? ".repeat(1 << 19), Format::Yaml, &["no YAML"]);
    refused("a: ".repeat(1 << 18), Format::Yaml, &["no YAML"]);
    refused("---\n".repeat(1 << 18), Format::Yaml, &[""]);
    refused("[[slos]]\n".repeat(100_000), Format::Toml, &["line 1, slos[0]: missing field `name`"]);
}

#[test]
fn deep_files() {
    for depth in [33, 200, 10_000, 170_000] {
        let (lists, maps) = (format!("{}{}", "[".repeat(depth), "]".repeat(depth)), "{\"a\":".repeat(depth));
        refused(format!("{{\"slos\": {lists}}}"), Format::Json, &["32 deep"]);
        refused(format!("{maps}1{}", "}".repeat(depth)), Format::Json, &["32 deep"]);
        refused(format!("slos: {lists}"), Format::Yaml, &["no YAML"]);
        refused(format!("slos = {lists}"), Format::Toml, &[""]);
        refused(format!("slos = {}1{}", "{a=".repeat(depth), "}".repeat(depth)), Format::Toml, &[""]);
        refused(format!("{}a = 1", "a.".repeat(depth)), Format::Toml, &[""]);
        refused(format!("[{}a]", "a.".repeat(depth)), Format::Toml, &[""]);
        refused(format!("{}a = 1", "\"a\".".repeat(depth)), Format::Toml, &[""]);
        refused(format!("[{}a]\nb = 1", "'a' . ".repeat(depth)), Format::Toml, &[""]);
        refused(format!("a = {{ {}a = 1 }}", "a.".repeat(depth)), Format::Toml, &[""]);
    }
    // The deepest that its parser lets through: dotted keys in tables in dotted keys.
    let dotted = "a.".repeat(79) + "a";
    refused(format!("[{dotted}]\n{}1{}", format!("{dotted} = {{").repeat(78), "}".repeat(78)), Format::Toml, &[""]);
    refused(
        format!("[{dotted}]\n{}{dotted} = 1{}", format!("{dotted} = {{").repeat(78), "}".repeat(78)),
        Format::Toml,
        &["32 deep"],
    );
    let nested: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused(nested, Format::Yaml, &["no YAML"]);
}

#[test]
fn aliases() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..30 {
        let before = i - 1;
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
    }
    refused(&bomb, Format::Yaml, &["no YAML"]);
    let merges: String = (1..2_000).map(|i| format!("a{i}: &a{i} {{<<: *a{}, b{i}: 1}}\n", i - 1)).collect();
    refused(format!("a0: &a0 {{}}\n{merges}"), Format::Yaml, &["no YAML"]);
    refused("slos: &a [*a]", Format::Yaml, &["no YAML"]);
    refused(format!("x: &a {}\ny: [{}]", "z".repeat(100_000), "*a, ".repeat(200_000)), Format::Yaml, &["no YAML"]);
}

#[test]
fn bytes_that_are_no_text() {
    for format in FORMATS {
        refused(b"slos\n\xff\xfe", format, &["line 2", "UTF-8"]);
        refused([0_u8; 64], format, &[""]);
        refused(b"\x00\x01\x02", format, &[""]);
    }
    let marked = b"\xef\xbb\xbf[[slos]]\nname = 'a'\nobjectives = [{target = 99.9}]";
    assert_eq!(file::read(marked, Format::Toml).unwrap().len(), 1);
}

#[test]
fn numbers_beyond_all_bounds() {
    for number in ["1e400", "-1e400", "1e-400", "123456789012345678901234567890", "-0.0", "9007199254740993", "0"] {
        for format in FORMATS {
            let text = match format {
                Format::Toml => format!("[[slos]]\nname='a'\nobjectives=[{{target={number}}}]"),
                _ => format!("{{\"slos\": [{{\"name\": \"a\", \"objectives\": [{{\"target\": {number}}}]}}]}}"),
            };
            refused(text, format, &[""]);
        }
    }
    for factor in ["1e300", "1e15"] {
        let alert = format!("alerts=[{{severity='P0', long='1h', short='5m', factor={factor}}}]");
        refused(format!("[[slos]]\nname='a'\nobjectives=[{{target=99}}]\n{alert}"), Format::Toml, &["never fire"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, the answer is one of the two.
    #[test]
    fn any_text_is_read_or_refused(text in "[\\PC\\n\\t]{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for format in FORMATS {
            let _ = file::read(&text, format);
            let _ = file::read(&bytes, format);
        }
    }

    /// Near misses: a file that works, with a piece of it replaced.
    #[test]
    fn any_damage_is_read_or_refused(at in 0_usize..200, cut in 0_usize..20, put in "[\\[\\]{}:,'\"&*!|>%@`#\\-a-z0-9 \n]{0,6}") {
        let texts = [
            (Format::Yaml, "slos:\n- name: a\n  owner: \"b\"\n  objectives:\n  - {target: 99.9, threshold: 1s}\n  alerts: []\n"),
            (Format::Toml, "[[slos]]\nname = 'a'\nowner = \"b\"\n[[slos.objectives]]\ntarget = 99.9\nthreshold = '1s'\n"),
            (Format::Json, "{\"slos\": [{\"name\": \"a\",\n\"objectives\": [{\"target\": 99.9, \"threshold\": \"1s\"}]}]}"),
        ];
        for (format, text) in texts {
            let (from, to) = (at.min(text.len()), (at + cut).min(text.len()));
            let _ = file::read(format!("{}{put}{}", &text[..from], &text[to..]), format);
        }
    }
}
