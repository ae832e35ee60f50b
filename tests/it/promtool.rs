//! Debian's `promtool`, the judge of what is written for Prometheus.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs it in a directory; gives all that it printed, as an error if it found something wrong.
pub(crate) fn promtool<S: AsRef<std::ffi::OsStr>>(folder: &Path, args: &[&str], files: &[S]) -> Result<String, String> {
    let ran = Command::new("promtool").current_dir(folder).args(args).args(files).output();
    let Output { status, stdout, stderr } = ran.unwrap_or_else(|error| {
        panic!("promtool does not run ({error}): tests/run.sh installs it, with Debian's package prometheus")
    });
    let printed = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    // Of many files, those that are wrong.
    let wrong = || printed.split("Unit Testing:").filter(|part| !part.contains("SUCCESS")).collect();
    if status.success() { Ok(printed) } else { Err(wrong()) }
}

/// The files in a directory, by name.
pub(crate) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// A file of YAML, read.
pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Every rule in a file of rules.
pub(crate) fn rules(text: &str) -> Vec<Value> {
    let file = yaml(text);
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}
