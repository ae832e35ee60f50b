//! The architecture test: `ARCHITECTURE.md` says what the plan is, this says whether the code keeps to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, in the order in which data flows, with the rooms it may import. `ARCHITECTURE.md` has the same table.
const PLAN: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("time", &[]),
    ("sync", &[]),
    ("names", &[]),
    ("events", &["time"]),
    ("outcome", &["error"]),
    ("slo", &["error", "outcome"]),
    ("record", &["sync", "time", "outcome"]),
    ("window", &["sync", "time", "outcome", "record"]),
    ("budget", &["outcome", "slo", "window"]),
    ("alert", &["time", "outcome", "slo", "window", "budget"]),
    ("breaker", &["error", "sync", "time", "outcome", "slo", "record", "window", "budget"]),
    ("shed", &["error", "sync", "time", "outcome", "slo", "record", "breaker"]),
    (
        "guard",
        &[
            "error", "sync", "time", "events", "outcome", "slo", "record", "window", "budget", "alert", "breaker",
            "shed",
        ],
    ),
    ("layer", &["error", "time", "outcome", "breaker", "shed", "guard"]),
    ("registry", &["error", "time", "events", "outcome", "slo", "window", "budget", "alert", "breaker", "guard"]),
    (
        "expose",
        &[
            "names", "time", "events", "outcome", "slo", "record", "window", "budget", "alert", "breaker", "shed",
            "guard", "registry",
        ],
    ),
    ("artifacts", &["error", "names", "outcome", "slo"]),
    (
        "ops",
        &[
            "names", "time", "events", "outcome", "slo", "window", "budget", "alert", "breaker", "shed", "guard",
            "registry", "expose",
        ],
    ),
    ("sim", &["error", "time", "outcome", "breaker", "shed", "guard", "registry"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no Rust file under {}", folder.display());
    files
}

/// The files of `src/` by room; `lib.rs`, the guide and test-only modules are in none.
fn rooms() -> BTreeMap<String, Vec<PathBuf>> {
    let src = root().join("src");
    let mut rooms: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let room = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = room.trim_end_matches(".rs");
        if !["lib", "__loom"].contains(&room) {
            rooms.entry(room.to_owned()).or_default().push(file);
        }
    }
    rooms
}

/// Lines of code: neither comments nor documentation.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.to_owned()));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

#[test]
fn every_room_is_in_the_plan_and_imports_only_to_the_left() {
    let mut wrong = Vec::new();
    for (room, files) in rooms() {
        let Some((_, allowed)) = PLAN.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("src/{room}: not in the plan"));
            continue;
        };
        for file in files {
            for (line, text) in code(&file) {
                for used in text.split("crate::").skip(1) {
                    let used = used.trim_start_matches('{');
                    let name: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                    let known = PLAN.iter().any(|(room, _)| *room == name);
                    if known && name != room && !allowed.contains(&name.as_str()) {
                        wrong.push(format!("{}:{line}: {room} may not import {name}", file.display()));
                    }
                    if !known {
                        wrong.push(format!("{}:{line}: import from a room, not `crate::{used}`", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_plan_in_words_is_the_plan_that_is_checked() {
    let words = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (room, allowed) in PLAN {
        let row = words.lines().find(|line| line.starts_with(&format!("| `{room}`")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{room}`"));
        let imports = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let expected = if allowed.is_empty() { "-".to_owned() } else { allowed.join(", ") };
        assert_eq!(imports, expected, "the row of `{room}`");
    }
    assert!(words.lines().count() <= 120, "ARCHITECTURE.md has {} lines", words.lines().count());
}

#[test]
fn no_file_is_long() {
    let mut lengths = Vec::new();
    for file in rust_files(&root().join("src")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines; 400 are allowed", file.display());
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn the_clock_is_read_in_one_room() {
    for (room, files) in rooms() {
        for (file, (line, text)) in files.iter().flat_map(|file| code(file).into_iter().map(move |line| (file, line))) {
            let reads = ["Instant::now", "SystemTime::now", "quanta::"].iter().any(|clock| text.contains(clock));
            assert!(!reads || room == "time", "{}:{line} reads a clock: {text}", file.display());
        }
    }
    // Pure arithmetic and states take `now`: they have no clock to read.
    for room in ["window", "budget", "alert", "breaker", "record", "slo"] {
        for file in &rooms()[room] {
            let clock = code(file).into_iter().find(|(_, text)| text.contains("Clock"));
            assert!(clock.is_none(), "{} has a clock: {clock:?}", file.display());
        }
    }
}

#[test]
fn exported_names_live_in_one_room() {
    for (room, files) in rooms() {
        for (file, (line, text)) in files.iter().flat_map(|file| code(file).into_iter().map(move |line| (file, line))) {
            let named = text.contains("\"plimsoll_") && room != "names";
            assert!(!named, "{}:{line} spells an exported name: {text}", file.display());
        }
    }
}

#[test]
fn nothing_is_unsafe_and_everything_is_documented() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(lib.contains("#![forbid(unsafe_code)]"));
    assert!(lib.contains("#![deny(missing_docs)]"));
}

#[test]
fn the_hot_path_takes_no_lock_and_boxes_nothing() {
    let gate = fs::read_to_string(root().join("src/breaker/gate.rs")).unwrap();
    // What a call does when a tick is due may try for a lock, and goes on without it.
    let on_the_way = [
        ("src/breaker/gate.rs", &["pub(crate) fn tick", "fn judge", "pub(crate) fn refuses"][..]),
        (
            "src/guard/core.rs",
            &["fn admit(", "fn finish(", "fn finish_at(", "fn finish_seen(", "fn finish_slowly(", "fn tick"],
        ),
        ("src/record/known.rs", &["pub(crate) fn start(", "pub(crate) fn finish_within(", "fn add_hot(", "fn add("]),
        ("src/guard/refusal.rs", &["fn ask_or_reject(", "fn ask_or_reject_slowly(", "fn ask_at("]),
        ("src/guard/meter.rs", &["pub(crate) fn tick"]),
        ("src/window/history.rs", &["pub(crate) fn try_roll"]),
    ];
    for (file, functions) in on_the_way {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for function in functions {
            let body = text.split(function).nth(1).unwrap_or_else(|| panic!("no {function} in {file}"));
            let body = body.split("\n    }\n").next().unwrap();
            assert!(!body.contains(".lock()"), "{file}, {function} locks:\n{body}");
        }
    }
    for file in ["mod.rs", "shard.rs"].map(|file| root().join("src/record").join(file)) {
        for (line, text) in code(&file) {
            assert!(!text.contains(".lock()"), "{}:{line} locks: {text}", file.display());
        }
    }
    // In the gate only what is marked cold, or is no part of a call, may lock.
    for name in ["pass", "is_of_now", "is_plain"] {
        let body = gate.split(&format!("pub(crate) fn {name}(")).nth(1).unwrap();
        let body = body.split("\n    }\n").next().unwrap();
        assert!(!body.contains("lock()"), "Gate::{name} locks:\n{body}");
        assert!(!body.contains("Box::"), "Gate::{name} boxes:\n{body}");
    }
}
