//! Files on disk, held against what a kit would write.

use super::Artifact;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// Lists what the kit wrote, so that the next one knows what to take away.
const LIST: &str = "plimsoll-files.txt";
const HEAD: &str = "# Written by plimsoll from declared SLOs: change those, not these files.\n";
/// Set to anything but nothing or `0`, a check writes what differs.
const UPDATE: &str = "PLIMSOLL_UPDATE";

/// What differs.
#[derive(Debug, Default)]
struct Differences {
    missing: Vec<String>,
    changed: Vec<String>,
    /// Written by an earlier kit.
    left_over: Vec<String>,
}

/// Writes what differs, and returns the paths.
pub(super) fn write(files: &[Artifact], directory: &Path) -> io::Result<Vec<String>> {
    let listed = with_list(files);
    let Differences { missing, changed, left_over } = compare(&listed, directory)?;
    for path in &left_over {
        fs::remove_file(directory.join(path)).map_err(|error| named(error, directory, path))?;
    }
    let mut touched = [missing, changed].concat();
    for file in listed.iter().filter(|file| touched.contains(&file.path)) {
        let to = directory.join(&file.path);
        let written = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&to, &file.text));
        written.map_err(|error| named(error, directory, &file.path))?;
    }
    touched.extend(left_over);
    touched.sort_unstable();
    Ok(touched)
}

/// Says what differs, and how to write it; or writes it, if the environment says so.
pub(super) fn check(files: &[Artifact], directory: &Path) -> Result<(), String> {
    let in_words = |error: io::Error| error.to_string();
    if std::env::var_os(UPDATE).is_some_and(|update| !update.is_empty() && update != "0") {
        return write(files, directory).map(drop).map_err(in_words);
    }
    let Differences { missing, changed, left_over } = compare(&with_list(files), directory).map_err(in_words)?;
    if missing.is_empty() && changed.is_empty() && left_over.is_empty() {
        return Ok(());
    }
    let mut words = format!("{} is not what the declared SLOs say:\n", directory.display());
    for (what, paths) in [("missing", missing), ("differs", changed), ("left over", left_over)] {
        paths.iter().for_each(|path| _ = writeln!(words, "  {what:>9}  {path}"));
    }
    _ = write!(words, "write it anew with {UPDATE}=1 in the environment of this test, and look at the difference");
    Err(words)
}

/// The files, and the list of them.
fn with_list(files: &[Artifact]) -> Vec<Artifact> {
    let mut list = HEAD.to_owned();
    files.iter().for_each(|file| _ = writeln!(list, "{}", file.path));
    files.iter().cloned().chain([Artifact::new(LIST, list)]).collect()
}

fn compare(files: &[Artifact], directory: &Path) -> io::Result<Differences> {
    let mut differences = Differences::default();
    for Artifact { path, text } in files {
        match read(directory, path)? {
            None => differences.missing.push(path.clone()),
            Some(found) if found != *text => differences.changed.push(path.clone()),
            Some(_) => {}
        }
    }
    let earlier = read(directory, LIST)?.unwrap_or_default();
    for path in earlier.lines().filter(|line| !line.starts_with('#') && is_inside(line)) {
        if files.iter().all(|file| file.path != path) && read(directory, path)?.is_some() {
            differences.left_over.push(path.to_owned());
        }
    }
    Ok(differences)
}

/// A list that somebody edited must not make us take away what lies elsewhere.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// What is in a file; none if there is no such file. Line ends are as they are written here, whatever a checkout made of them.
fn read(directory: &Path, path: &str) -> io::Result<Option<String>> {
    match fs::read(directory.join(path)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(error, directory, path)),
    }
}

fn named(error: io::Error, directory: &Path, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", directory.join(path).display()))
}
