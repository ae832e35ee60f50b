//! The kit as a whole: what is committed is what is written, and a directory is kept in step with it.

use plimsoll::artifacts::Kit;
use plimsoll::{Slo, artifacts::Artifact};
use std::path::{Path, PathBuf};
use std::{fs, panic};

#[allow(unreachable_pub)] // a module of an example, too
#[path = "../../examples/artifacts/messaging.rs"]
mod messaging;
#[allow(unreachable_pub)]
#[path = "../../examples/storefront/promises.rs"]
mod promises;

/// The storefront's kit, as `examples/artifacts` writes it.
pub(crate) fn storefront() -> Kit {
    Kit::new([promises::checkout("checkout"), promises::payments()]).unwrap()
}

/// The messaging platform's, likewise.
pub(crate) fn messaging() -> Kit {
    Kit::new(messaging::promises()).unwrap()
}

/// A directory of a test's own, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("plimsoll-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// With a kit's files in it.
    pub(crate) fn with(name: &str, kit: &Kit) -> Self {
        let folder = Self::new(name);
        kit.write_to(folder.path()).unwrap();
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn golden_storefront() {
    storefront().assert_in_sync(golden("storefront"));
}

#[test]
fn golden_messaging() {
    messaging().assert_in_sync(golden("messaging"));
}

#[test]
fn a_kit_says_no_machine_and_no_time() {
    // Twice the same, in whatever order things are hashed; and nothing of where it was written.
    for kit in [storefront(), messaging()] {
        assert_eq!(kit.files(), kit.files());
        let home = env!("CARGO_MANIFEST_DIR");
        let told = kit.files().into_iter().find(|file| file.text.contains(home));
        assert!(told.is_none(), "{told:?}");
    }
}

#[test]
fn each_path_is_written_once_and_stays_inside() {
    for kit in [storefront(), messaging(), Kit::new([Slo::new("../../etc/passwd").success(99.9)]).unwrap()] {
        let mut paths: Vec<String> = kit.files().into_iter().map(|Artifact { path, .. }| path).collect();
        paths.iter().for_each(|path| assert!(!path.contains("..") && !path.starts_with('/'), "{path}"));
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all, "in order, and each once");
    }
}

#[test]
fn a_directory_is_kept_in_step() {
    if std::env::var_os("PLIMSOLL_UPDATE").is_some() {
        return; // then a check writes, and there is nothing to be told
    }
    let folder = Folder::new("in-step");
    let own = folder.path().join("openslo/own.yaml");
    let drifted = || {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let caught = panic::catch_unwind(|| storefront().assert_in_sync(folder.path()));
        panic::set_hook(hook);
        caught.map_err(|words| words.downcast_ref::<String>().unwrap().clone())
    };
    let words = drifted().unwrap_err();
    assert!(words.contains("missing  openslo/checkout.yaml") && words.contains("PLIMSOLL_UPDATE=1"), "{words}");

    let written = messaging().write_to(folder.path()).unwrap();
    assert!(written.contains(&"openslo/push.yaml".to_owned()) && written.contains(&"plimsoll-files.txt".to_owned()));
    fs::write(&own, "mine\n").unwrap();
    // What another kit wrote is taken away, what nobody wrote is left alone.
    assert!(storefront().write_to(folder.path()).unwrap().contains(&"openslo/push.yaml".to_owned()));
    assert!(!folder.path().join("openslo/push.yaml").exists());
    assert_eq!(fs::read_to_string(&own).unwrap(), "mine\n");
    assert_eq!(storefront().write_to(folder.path()).unwrap(), Vec::<String>::new(), "nothing is touched twice");
    drifted().unwrap();

    fs::write(folder.path().join("openslo/checkout.yaml"), "edited\n").unwrap();
    fs::write(folder.path().join("openslo/gone.yaml"), "of old\n").unwrap();
    let list = folder.path().join("plimsoll-files.txt");
    let listed = fs::read_to_string(&list).unwrap();
    fs::write(&list, listed + "openslo/gone.yaml\n../outside\n/etc/hostname\n").unwrap();
    let words = drifted().unwrap_err();
    for line in ["differs  openslo/checkout.yaml", "left over  openslo/gone.yaml", "differs  plimsoll-files.txt"] {
        assert!(words.contains(line), "{line}\n{words}");
    }
    assert!(!words.contains("outside") && !words.contains("hostname"), "{words}");
    storefront().write_to(folder.path()).unwrap();
    drifted().unwrap();
    assert!(own.exists());
}

#[test]
fn kits_that_cannot_work_are_refused() {
    assert!(Kit::new([]).unwrap_err().is_invalid());
    assert!(Kit::new([Slo::new("checkout")]).unwrap_err().is_invalid());
    let twice = Slo::new("checkout").success(99.9);
    assert!(Kit::new([twice.clone(), twice]).unwrap_err().is_duplicate());
}

#[test]
fn what_is_written_is_in_sync() {
    for (name, kit) in [("written-a", storefront()), ("written-b", messaging())] {
        let folder = Folder::with(name, &kit);
        kit.assert_in_sync(folder.path());
    }
}
