//! What operators do by HTTP.

use crate::ops::routes::ask;
use axum::Router;
use axum::http::{Method, StatusCode};
use plimsoll::{Breaker, CallContext, EventKind, Guard, ManualClock, Plimsoll, Priority, Reason, Slo, State, ops};
use std::process::Command;
use std::time::Duration;

struct Rig {
    clock: ManualClock,
    plimsoll: Plimsoll,
    guard: Guard,
    app: Router,
}

fn rig_with(name: &str, breaker: Breaker) -> Rig {
    let clock = ManualClock::new();
    let plimsoll = Plimsoll::with_clock(clock.clone());
    let slo = plimsoll.declare(Slo::new("payments").success(99.9)).unwrap();
    let guard = slo.guard().named(name).breaker(breaker.jitter(0.0)).build().unwrap();
    slo.guard().named("no breaker").build().unwrap();
    slo.guard().named("by tenant").breaker(Breaker::default()).keyed::<String>(8).unwrap();
    let app = ops::control(&plimsoll);
    Rig { clock, plimsoll, guard, app }
}

fn rig() -> Rig {
    rig_with("payments", Breaker::default())
}

impl Rig {
    async fn post(&self, path: &str) -> (StatusCode, String) {
        let answer = ask(&self.app, Method::POST, path, &[("host", "ops.local:9000")]).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        (answer.status(), answer.into_body())
    }

    #[track_caller]
    fn expect(&self, state: State) {
        assert_eq!(self.guard.state(), state, "{}", self.guard.explain());
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// What was told of operators and breakers.
    fn told(&self) -> Vec<String> {
        self.plimsoll.events().iter().map(|event| event.kind.to_string()).collect()
    }
}

/// The arguments of a line that begins with `curl`, as a shell takes them apart for whoever `user` is.
fn words(line: &str, user: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}; {line}");
    let run = Command::new("sh").args(["-euc", &script]).env("USER", user).output().unwrap();
    assert!(run.status.success() && run.stderr.is_empty(), "{line}: {run:?}");
    String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Does what a `curl` line does, to the router instead.
async fn execute(app: &Router, line: &str) -> (StatusCode, String) {
    let words = words(line, "anna");
    let [silent, flag, method, url] = words.as_slice() else { panic!("{words:?}") };
    assert_eq!([silent.as_str(), flag.as_str()], ["-sS", "-X"], "{line}");
    let path = url.strip_prefix("http://ops.local:9000").unwrap_or_else(|| panic!("{url}"));
    let answer = ask(app, method.parse().unwrap(), path, &[("host", "ops.local:9000")]).await;
    (answer.status(), answer.into_body())
}

/// What the lines that shed do.
const SHEDS: [Option<Priority>; 3] = [Some(Priority::CRITICAL), Some(Priority::DEFAULT), None];

fn curls(page: &str) -> Vec<String> {
    page.lines().filter_map(|line| line.find("curl ").map(|at| line[at..].to_owned())).collect()
}

#[tokio::test]
async fn what_an_operator_decides_ends_by_itself() {
    let rig = rig();
    let (status, body) = rig.post("/control/guards/payments/open?for=15m&by=anna&why=a+migration").await;
    assert_eq!(
        (status, body.as_str()),
        (
            StatusCode::OK,
            "breaker payments is forced open: calls are refused until an operator lets go; this ends by itself in 15 min (by \
             anna: a migration); it went from closed to forced_open 0.0 s ago because an operator said so\n\
             undo: curl -sS -X POST \"http://ops.local:9000/control/guards/payments/auto?by=$USER\"\n"
        )
    );
    rig.expect(State::ForcedOpen);
    rig.wait(14 * 60 + 59);
    rig.expect(State::ForcedOpen);
    assert!(rig.guard.explain().contains("ends by itself in 1 s"), "{}", rig.guard.explain());
    rig.wait(1);
    // Noticed by a call, and by no reading.
    assert!(rig.guard.admit().is_err(), "a ramp begins with a tenth of the calls");
    rig.expect(State::Ramping);
    let told = rig.told();
    assert_eq!(
        told,
        [
            "operator anna: breaker payments was forced open for 15m: a migration",
            "breaker payments: closed → forced_open: an operator said so",
            "breaker payments: forced_open → ramping: the time that an operator had set is over",
        ]
    );
    assert!(ops::status(&rig.plimsoll).contains(&told[0]), "the page tells who it was");
    let EventKind::Operator { by, why, .. } = &rig.plimsoll.events()[0].kind else { panic!("{told:?}") };
    assert_eq!((by.as_deref(), why.as_deref()), (Some("anna"), Some("a migration")));
}

#[tokio::test]
async fn it_ends_in_time_however_far_a_breaker_looks_back() {
    let rig = rig_with("payments", Breaker::never().failure_ratio(0.5, 20, Duration::from_secs(86_400)));
    for act in ["open", "close", "observe"] {
        rig.post(&format!("/control/guards/payments/{act}?for=1m")).await;
        rig.wait(62);
        // Noticed by a call.
        _ = rig.guard.admit();
        let told = rig.told();
        assert!(told.last().unwrap().ends_with("the time that an operator had set is over"), "{act}: {told:?}");
    }
}

#[tokio::test]
async fn without_a_time_it_is_an_hour_and_saying_it_again_begins_it_anew() {
    let rig = rig();
    assert!(rig.post("/control/guards/payments/close").await.1.contains("ends by itself in 60 min;"));
    rig.wait(1_800);
    assert!(rig.post("/control/guards/payments/close?for=2h15m&why=").await.1.contains("by itself in 2 h 15 min;"));
    rig.wait(2 * 3_600);
    rig.expect(State::ForcedClosed);
    rig.wait(15 * 60);
    rig.expect(State::Closed);
    // What code decides has no end, as before.
    rig.post("/control/guards/payments/open?for=1s").await;
    rig.guard.force_open();
    rig.wait(7 * 86_400);
    rig.expect(State::ForcedOpen);
    let (_, body) = rig.post("/control/guards/payments/auto?by=bob").await;
    assert!(body.starts_with("breaker payments is ramping") && !body.contains("undo"), "{body}");
    assert!(rig.told().contains(&"operator bob: breaker payments was given back its decision".to_owned()));
}

#[tokio::test]
async fn observing_for_a_while_ends_in_deciding_and_says_so() {
    let rig = rig();
    rig.post("/control/guards/payments/observe?for=10m").await;
    for _ in 0..30 {
        rig.guard.admit().unwrap().failure();
    }
    rig.expect(State::WouldBeOpen);
    rig.wait(60);
    rig.expect(State::Closed);
    rig.wait(540);
    rig.expect(State::Closed);
    let last = rig.told().pop().unwrap();
    assert_eq!(last, "breaker payments: closed → closed: the time that an operator had set is over");
    for _ in 0..20 {
        rig.guard.admit().unwrap().failure();
    }
    rig.expect(State::Open);
}

/// That an operator's time is over must not switch on a breaker that was never to decide.
#[tokio::test]
async fn a_breaker_that_only_observes_by_itself_goes_on_doing_so() {
    let rig = rig_with("payments", Breaker::default().observe_only());
    for act in ["observe", "open", "close"] {
        let body = rig.post(&format!("/control/guards/payments/{act}?for=1m")).await.1;
        assert_eq!(body.contains("ends by itself"), act != "observe", "{body}");
        rig.wait(60);
        rig.expect(State::Closed);
        for _ in 0..30 {
            rig.guard.admit().unwrap().failure();
        }
        rig.expect(State::WouldBeOpen);
        rig.wait(60);
        rig.expect(State::Closed);
    }
    // Let go of while it is forced, it observes; only when asked once more it decides.
    rig.post("/control/guards/payments/open").await;
    assert!(rig.post("/control/guards/payments/auto").await.1.contains("(only observing)"));
    assert!(!rig.post("/control/guards/payments/auto").await.1.contains("(only observing)"));
}

#[tokio::test]
async fn a_class_is_shed_for_a_while() {
    let rig = rig();
    let (status, body) = rig.post("/control/guards/payments/shed?below=critical&for=15m&by=anna&why=overload").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.ends_with(
            "; it sheds by hand what is below critical; this ends by itself in 15 min (by anna: overload)\n\
             undo: curl -sS -X POST \"http://ops.local:9000/control/guards/payments/shed?below=none&by=$USER\"\n"
        ),
        "{body}"
    );
    let page = ops::status(&rig.plimsoll);
    assert!(page.contains("\n!! guard payments sheds by hand every call below critical priority\n"), "{page}");
    assert_eq!(rig.guard.admit().unwrap_err().reason(), Reason::ShedByHand);
    let critical = CallContext::new().priority(Priority::CRITICAL);
    rig.guard.admit_in(critical).unwrap().success();
    rig.wait(15 * 60 - 1);
    assert!(rig.guard.admit().is_err());
    rig.wait(1);
    // Noticed by a call, and by no reading.
    assert!(rig.guard.admit().is_ok());
    assert_eq!(
        rig.told(),
        [
            "operator anna: guard payments sheds every call below critical priority for 15m: overload",
            "guard payments sheds no priority by hand any more, for the time that an operator had set is over",
        ]
    );
    // Or by a reading.
    rig.post("/control/guards/payments/shed?below=150").await;
    assert_eq!(rig.guard.sheds_below(), Some(Priority::custom(150)));
    rig.wait(3_600);
    assert_eq!(rig.guard.sheds_below(), None);
    // What code sheds has no end, and ends what an operator had begun.
    rig.post("/control/guards/payments/shed?below=default&for=1m").await;
    rig.guard.shed_below(Some(Priority::CRITICAL));
    rig.wait(3_600);
    assert!(rig.guard.admit().is_err() && !rig.guard.explain().contains("by itself"), "{}", rig.guard.explain());
}

#[tokio::test]
async fn every_printed_line_works_as_printed() {
    // 128 characters at most, and no control character: all else is allowed.
    for name in [
        "payments",
        "a b/c?d=e&f#g",
        "$(touch x)`id`\"'\\!{{7*7}}",
        "<script>alert('|')</script>",
        "Zürich—東京 %2F%",
        "..",
    ] {
        let rig = rig_with(name, Breaker::default());
        let list = ask(&rig.app, Method::GET, "/control", &[("host", "ops.local:9000")]).await;
        assert_eq!((list.status(), &list.headers()["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
        let page = list.into_body();
        assert!(
            page.contains(&format!("\nGuard {name} (counts towards SLO payments)\n  breaker {name} is closed")),
            "{page}"
        );
        assert!(page.contains("no breaker has no breaker") && page.contains("none of them can be forced"), "{page}");
        let lines = curls(&page);
        let states = [State::ForcedOpen, State::ForcedClosed, State::Closed, State::Closed];
        let own: Vec<&String> = lines.iter().filter(|line| !line.contains("/guards/no%20breaker/")).collect();
        assert_eq!((own.len(), lines.len()), (7, 10), "{page}");
        for (line, below) in
            own[4..].iter().chain(&lines[7..].iter().collect::<Vec<_>>()).zip(SHEDS.into_iter().cycle())
        {
            let guard =
                if line.contains("no%20breaker") { rig.plimsoll.guard("no breaker").unwrap() } else { rig.guard };
            let (status, body) = execute(&rig.app, line).await;
            assert_eq!((status, guard.sheds_below()), (StatusCode::OK, below), "{line}: {body}");
            for undo in curls(&body) {
                assert_eq!((execute(&rig.app, &undo).await.0, guard.sheds_below()), (StatusCode::OK, None), "{undo}");
            }
        }
        for (line, state) in own.into_iter().zip(states) {
            let (status, body) = execute(&rig.app, line).await;
            assert_eq!(status, StatusCode::OK, "{line}: {body}");
            assert!(body.starts_with(&format!("breaker {name} is ")), "{body}");
            rig.expect(state);
            for undo in curls(&body) {
                assert_eq!(execute(&rig.app, &undo).await.0, StatusCode::OK);
                rig.wait(60);
                rig.expect(State::Closed);
                assert_eq!(execute(&rig.app, line).await.0, StatusCode::OK);
                rig.expect(state);
            }
        }
        let acts = rig.told().into_iter().filter(|what| what.starts_with("operator"));
        assert!(
            acts.clone().count() >= 4 && acts.clone().all(|what| what.starts_with("operator anna: ")),
            "{:?}",
            rig.told()
        );
    }
}

/// The lines lead back to where they were asked for, and nothing that a request says gets into a shell by them.
#[tokio::test]
async fn lines_name_the_place_that_was_asked() {
    let rig = rig();
    let nested = Router::new().nest("/internal/ops", ops::control(&rig.plimsoll));
    let first = |page: String| curls(&page)[0].clone();
    let page = ask(&nested, Method::GET, "/internal/ops/control", &[("host", "[::1]:9000")]).await.into_body();
    let line = first(page);
    assert!(line.contains("\"http://[::1]:9000/internal/ops/control/guards/payments/open?"), "{line}");
    let open = "/internal/ops/control/guards/payments/open";
    let undo = first(ask(&nested, Method::POST, open, &[("host", "a.b:1")]).await.into_body());
    assert_eq!(undo, "curl -sS -X POST \"http://a.b:1/internal/ops/control/guards/payments/auto?by=$USER\"");
    for host in ["$(id)", "a\"; id; \"", "`id`", "a b"] {
        let line = first(ask(&rig.app, Method::GET, "/control", &[("host", host)]).await.into_body());
        assert!(line.contains("\"http://localhost/control/guards/"), "{line}");
    }
    let line = first(ask(&rig.app, Method::GET, "/control", &[]).await.into_body());
    assert!(line.contains("\"http://localhost/control/guards/"), "{line}");
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let rig = rig();
    let long = format!("/control/guards/payments/open?by={}", "x".repeat(65));
    let why = format!("/control/guards/payments/open?why={}", "x".repeat(257));
    for (path, status, words) in [
        (
            "/control/guards/paymnets/open",
            404,
            "there is no guard \"paymnets\"; there are \"payments\", \"no breaker\"\n",
        ),
        ("/control/guards/Payments/open", 404, "there is no guard \"Payments\""),
        ("/control/guards/%3Cb%3E%0A%22/open", 404, "there is no guard \"<b>\\n\\\"\""),
        ("/control/guards/%FF/open", 400, ""),
        ("/control/guards/payments/opne", 400, "write open, close, observe, auto or shed"),
        ("/control/guards/payments/shed", 400, "write critical, default, a number from 1 to 255, or none"),
        (
            "/control/guards/payments/shed?below=sheddable",
            400,
            "write critical, default, a number from 1 to 255, or none",
        ),
        ("/control/guards/payments/shed?below=256", 400, "write critical, default, a number from 1 to 255, or none"),
        ("/control/guards/payments/shed?below=0", 400, "write critical, default, a number from 1 to 255, or none"),
        ("/control/guards/payments/shed?below=default&for=1y", 400, "write 1 s to 7 d"),
        ("/control/guards/by%20tenant/shed?below=default", 409, "none of them can be forced"),
        ("/control/guards/payments/open?for=", 200, "60 min"),
        ("/control/guards/payments/open?for=15", 400, "write 1 s to 7 d, such as 90s, 15m, 2h or 1d"),
        ("/control/guards/payments/open?for=0s", 400, "write 1 s to 7 d"),
        ("/control/guards/payments/open?for=8d", 400, "write 1 s to 7 d"),
        ("/control/guards/payments/open?for=1m&for=2m", 400, "`for` is given twice"),
        ("/control/guards/payments/open?during=1m", 400, "\"during\" is not known here: write for, by, why"),
        ("/control/guards/payments/auto?for=1m", 400, "\"for\" is not known here: write by, why"),
        ("/control/guards/payments/open?by=a%0Ab", 400, "`by` has the control character '\\n' in it"),
        (long.as_str(), 400, "`by` has 65 characters: write at most 64"),
        (why.as_str(), 400, "`why` has 257 characters: write at most 256"),
        ("/control/guards/no%20breaker/open", 409, "guard no breaker has no breaker"),
        ("/control/guards/by%20tenant/open", 409, "none of them can be forced"),
    ] {
        rig.guard.auto();
        rig.wait(60);
        rig.expect(State::Closed);
        let before = rig.plimsoll.events().len();
        let answer = ask(&rig.app, Method::POST, path, &[]).await;
        assert_eq!(answer.status().as_u16(), status, "{path}: {}", answer.body());
        assert!(answer.body().contains(words), "{path}: {}", answer.body());
        if status != 200 {
            rig.expect(State::Closed);
            assert_eq!(rig.guard.sheds_below(), None, "{path}");
            assert_eq!(rig.plimsoll.events().len(), before, "{path}: {:?}", rig.told());
        }
    }
    assert_eq!(ask(&rig.app, Method::GET, "/control?x=1", &[]).await.status(), StatusCode::BAD_REQUEST);
    let got = ask(&rig.app, Method::GET, "/control/guards/payments/open", &[]).await;
    assert_eq!((got.status(), &got.headers()["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn no_page_in_a_browser_can_act() {
    let rig = rig();
    let open = "/control/guards/payments/open";
    for header in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
    ] {
        let answer = ask(&rig.app, Method::POST, open, &[header]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.body().contains("use curl"));
        rig.expect(State::Closed);
    }
    assert!(rig.told().is_empty());
    // The routes that show are served apart: they have nothing to be forced by.
    let shown = ask(&ops::router(&rig.plimsoll), Method::POST, open, &[]).await;
    assert_eq!(shown.status(), StatusCode::NOT_FOUND);
    // Both may be served together, beside a service's own.
    let app = Router::new().merge(ops::router(&rig.plimsoll)).merge(ops::control(&rig.plimsoll));
    assert_eq!(ask(&app, Method::POST, open, &[]).await.status(), StatusCode::OK);
}
