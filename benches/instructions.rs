//! How many instructions a call takes: what the machine's mood does not change, and what CI therefore holds us to.
//!
//! `cargo bench --bench instructions` runs itself under valgrind's callgrind and compares with `instructions.txt`, row by
//! row; more than 5 % off, either way, fails. `-- --update` writes that file anew: commit it with the reason.
//!
//! Collection is switched on by entering [`measured`] and dumped when it is left, so that start-up (the calibration of
//! the clock takes as long as it takes) is in no count. A row is the median of several dumps: one in which a window
//! happened to roll does not matter.
#![allow(clippy::disallowed_methods)] // it counts clocks
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench that cannot go on stops

mod common;

use common::{admit, call, counted, untripped};
use plimsoll::{Breaker, GuardError, Outcome};
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs};

/// Calls to a dump, and dumps to a row.
const CALLS: u64 = 100;
const DUMPS: usize = 9;
/// How far off a row may be.
const TOLERANCE: f64 = 0.05;

/// Everything called from here is counted, and nothing else.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    for _ in 0..CALLS {
        work();
    }
}

/// Does each row's work, each twice without being counted first.
fn rows(mut row: impl FnMut(&'static str, &mut dyn FnMut())) {
    row("nothing", &mut || _ = black_box(0));

    let mut echo = common::Echo;
    row("floor: empty tower call", &mut || _ = black_box(call(&mut echo, black_box(0))));

    let clock = quanta::Clock::new();
    row("floor: two readings of quanta and their difference", &mut || {
        let begun = black_box(&clock).raw();
        black_box(clock.delta_as_nanos(begun, clock.raw()));
    });
    row("floor: two Instant::now", &mut || {
        black_box(Instant::now());
        black_box(Instant::now());
    });

    let guard = common::sli();
    row("sli, success", &mut || admit(black_box(&guard)).success());
    check(&guard, Outcome::Success);

    let mut service = common::full(Breaker::default());
    let guard = service.guard();
    row("full, success", &mut || admit(black_box(&guard)).success());
    check(&guard, Outcome::Success);

    let guard = common::full_engaged().guard();
    row("full, success, limiter engaged", &mut || admit(black_box(&guard)).success());
    check(&guard, Outcome::Success);

    let guard = common::full(untripped(Duration::from_secs(10))).guard();
    row("full, failure", &mut || admit(black_box(&guard)).failure());
    check(&guard, Outcome::FAILURE);

    row("full, layered success", &mut || _ = black_box(call(&mut service, black_box(0))));
    assert_eq!(counted(&service.guard(), Outcome::Success), 2 * calls());

    service.guard().force_open();
    row("full, refused", &mut || assert!(black_box(service.guard()).admit().is_err()));
    check(&service.guard(), Outcome::Rejected);
    row("full, refused, fallback value", &mut || {
        assert!(call(&mut service, black_box(0)) == Ok(common::FALLEN_BACK));
    });
    check(&service.guard(), Outcome::Degraded);

    #[cfg(feature = "http")]
    http(&mut row);

    let mut service = common::full_without_fallback(Breaker::default());
    service.guard().force_open();
    row("full, layered refused", &mut || {
        assert!(matches!(call(&mut service, black_box(0)), Err(GuardError::Rejected(_))));
    });
    check(&service.guard(), Outcome::Rejected);
}

/// A request through `.http()` to the end of its response's body; both are made and dropped in it.
#[cfg(feature = "http")]
fn http(row: &mut impl FnMut(&'static str, &mut dyn FnMut())) {
    use http::{Request, Response};
    use http_body_util::{BodyExt, Empty};
    use std::convert::Infallible;
    use std::future::ready;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use tower::Layer;

    let answer = |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new())));
    let guard = common::slo(&plimsoll::Plimsoll::new(), "http").guard().breaker(Breaker::default());
    let layer = guard.shed(plimsoll::Shed::adaptive()).http().expect("a guard that works");
    let mut service = layer.layer(tower::service_fn(answer));
    row("full, http success, request and response included", &mut || {
        let Ok(response) = call(&mut service, black_box(Request::new(())));
        let mut body = pin!(response.into_body());
        let frame = pin!(body.frame()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(frame, Poll::Ready(None)));
    });
    check(&layer.guard(), Outcome::Success);
}

const fn calls() -> u64 {
    DUMPS as u64 * CALLS + 2
}

fn check(guard: &plimsoll::Guard, outcome: Outcome) {
    assert_eq!(counted(guard, outcome), calls(), "calls of which not all were counted");
}

fn work() -> Vec<&'static str> {
    let mut names = Vec::new();
    rows(|name, work| {
        names.push(name);
        work();
        work();
        for _ in 0..DUMPS {
            measured(work);
        }
    });
    names
}

fn main() -> ExitCode {
    if env::var_os(UNDER_VALGRIND).is_some() || !common::measuring() {
        work();
        return ExitCode::SUCCESS;
    }
    let names = work();
    let counts = count(names.len());
    let table: Vec<_> = names.into_iter().zip(counts).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
    if env::args().any(|arg| arg == "--update") {
        fs::write(&file, text(&table)).expect("a file that can be written");
        println!("written: {}", file.display());
    }
    compare(&table, &kept(&fs::read_to_string(&file).unwrap_or_default()))
}

const UNDER_VALGRIND: &str = "PLIMSOLL_BENCH_UNDER_VALGRIND";

/// Instructions a call, row by row.
fn count(rows: usize) -> Vec<f64> {
    let folder = env::temp_dir().join(format!("plimsoll-instructions-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for dumps");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=instructions::measured"])
        .args(["--dump-after=instructions::measured", "--quiet"])
        .arg(format!("--callgrind-out-file={}", folder.join("dump").display()))
        .arg(env::current_exe().expect("a path to itself"))
        .env(UNDER_VALGRIND, "1")
        .output();
    let run = run.expect("valgrind: install it (`apt-get install valgrind`)");
    assert!(run.status.success(), "valgrind: {}", String::from_utf8_lossy(&run.stderr));
    let dumps: Vec<f64> = (1..=rows * DUMPS).map(|n| total(&folder.join(format!("dump.{n}")))).collect();
    _ = fs::remove_dir_all(&folder);
    dumps.chunks(DUMPS).map(median).collect()
}

fn total(dump: &PathBuf) -> f64 {
    let text = fs::read_to_string(dump).expect("a dump");
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("a total in each dump");
    line.trim().parse::<f64>().expect("a number") / CALLS as f64
}

fn median(dumps: &[f64]) -> f64 {
    let mut sorted = dumps.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn text(table: &[(&str, f64)]) -> String {
    let mut text = String::from(
        "# Instructions a call, the loop around it included; kept by `cargo bench --bench instructions -- --update`.\n",
    );
    for (name, count) in table {
        _ = writeln!(text, "{count:.0}\t{name}");
    }
    text
}

fn kept(text: &str) -> Vec<(&str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t').and_then(|(n, name)| Some((name, n.parse().ok()?)))).collect()
}

fn compare(table: &[(&str, f64)], kept: &[(&str, f64)]) -> ExitCode {
    println!("{:>8} {:>8} {:>7}  instructions a call", "now", "kept", "off");
    let mut off = 0;
    for (name, now) in table {
        let Some((_, then)) = kept.iter().find(|(known, _)| known == name) else {
            println!("{now:8.0} {:>8} {:>7}  {name}", "-", "new");
            off += 1;
            continue;
        };
        // Floors are the machine's and other crates': they explain a count, and are not ours to keep. Of a count as small
        // as the loop's own, one instruction is more than the tolerance.
        let far = !name.starts_with("floor") && (now - then).abs() > (then * TOLERANCE).max(1.0);
        off += usize::from(far);
        println!("{now:8.0} {then:8.0} {:6.1} %  {name}{}", (now / then - 1.0) * 100.0, if far { "  OFF" } else { "" });
    }
    for (name, _) in kept.iter().filter(|(name, _)| !table.iter().any(|(known, _)| known == name)) {
        println!("{:>8} {:>8} {:>7}  {name}", "-", "", "gone");
        off += 1;
    }
    if off == 0 {
        return ExitCode::SUCCESS;
    }
    println!(
        "{off} rows are more than {:.0} % off. If that is meant, `cargo bench --bench instructions -- --update`, and say \
         why in the commit.",
        TOLERANCE * 100.0
    );
    ExitCode::FAILURE
}
