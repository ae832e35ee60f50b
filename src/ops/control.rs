//! The routes that change something.

use super::query;
use super::router::{plain, refused};
use crate::breaker::Mode;
use crate::guard::{Act, Guard};
use crate::registry::Plimsoll;
use crate::shed::Priority;
use axum::Router;
use axum::extract::{OriginalUri, Path, RawQuery};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write;
use std::time::Duration;

/// How long what an operator decides lasts: unless said otherwise, the least and the most.
const LASTS: [Duration; 3] = [Duration::from_secs(3_600), Duration::from_secs(1), Duration::from_secs(7 * 86_400)];
const LONGEST_NAME: usize = 64;
const LONGEST_REASON: usize = 256;
/// What needs no encoding in a path, RFC 3986 section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Routes by which an operator takes decisions out of the guards' hands, and gives them back.
///
/// They are apart from [`router`](super::router) because they change something, and ask nobody who they are: serve them on a
/// port that only operators reach (on loopback, for `kubectl port-forward`), or behind what authenticates in your service.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let plimsoll = plimsoll::Plimsoll::new();
/// let control = axum::Router::new().merge(plimsoll::ops::control(&plimsoll));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
/// tokio::spawn(async move { axum::serve(listener, control).await });
/// # Ok(())
/// # }
/// ```
///
/// | route | query | what it does |
/// |---|---|---|
/// | `GET /control` | | lists every guard, how it stands, and the `curl` lines that apply to it |
/// | `POST /control/guards/{name}/open` | `for`, `by`, `why` | refuses every call; fallbacks answer, if there are any |
/// | `POST /control/guards/{name}/close` | `for`, `by`, `why` | lets every call pass, whatever happens |
/// | `POST /control/guards/{name}/observe` | `for`, `by`, `why` | the breaker decides and refuses nothing |
/// | `POST /control/guards/{name}/auto` | `by`, `why` | gives the decision back, as [`Guard::auto`] does |
/// | `POST /control/guards/{name}/shed` | `below`, `for`, `by`, `why` | sheds every call below that priority: `critical`, `default` or a number from 1 to 255; `none` sheds none by hand any more |
///
/// ```sh
/// curl -sS "http://127.0.0.1:9000/control"
/// curl -sS -X POST "http://127.0.0.1:9000/control/guards/payments/open?for=15m&by=$USER&why=migration"
/// curl -sS -X POST "http://127.0.0.1:9000/control/guards/payments/auto?by=$USER"
/// curl -sS -X POST "http://127.0.0.1:9000/control/guards/checkout/shed?below=critical&for=15m&by=$USER"
/// ```
///
/// What is decided here ends by itself, for a breaker that is forced and forgotten is the next outage: after `for` (1 s to
/// 7 d, such as `15m`, `2h` or `1h30m`), after an hour if it is not said. Then the breaker does again what it did before an
/// operator came. Time is looked at when calls come, about every half second, and at readings. `by` (64 characters) and
/// `why` (256) are recorded in an [event](crate::EventKind::Operator), and shown on the status page and in the timeline.
///
/// The answer is 200 with the new state in words and the line that undoes it; 400 with what is allowed; 404 with the guards
/// there are; 409 if the guard cannot: it has no breaker to be forced, or one for each key. A request from a browser, which
/// says so by `Origin` or `Sec-Fetch-Site`, is refused with 403: no page that an operator has open can act in their name.
pub fn control<S: Clone + Send + Sync + 'static>(plimsoll: &Plimsoll) -> Router<S> {
    let (list, act) = (plimsoll.clone(), plimsoll.clone());
    let list = move |OriginalUri(uri): OriginalUri, RawQuery(query): RawQuery, headers: HeaderMap| async move {
        match query::read(query.as_deref(), []) {
            Ok([]) => plain(StatusCode::OK, listing(&list, &Place::new(&headers, &uri, uri.path()))),
            Err(why) => refused(why),
        }
    };
    let act = move |OriginalUri(uri): OriginalUri,
                    Path((name, what)): Path<(String, String)>,
                    RawQuery(query): RawQuery,
                    headers: HeaderMap| async move {
        if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
            let why = "this request comes from a browser, and these routes take none from there: use curl\n";
            return plain(StatusCode::FORBIDDEN, why.to_owned());
        }
        // The path ends in what was matched, `/guards/{name}/{act}`.
        let root = uri.path().rsplitn(4, '/').nth(3).unwrap_or_default();
        let place = Place::new(&headers, &uri, root);
        match operate(&act, &name, &what, query.as_deref(), &place) {
            Ok(done) => plain(StatusCode::OK, done),
            Err((status, why)) => plain(status, why + "\n"),
        }
    };
    Router::new().route("/control", get(list)).route("/control/guards/{name}/{act}", post(act))
}

/// Where these routes are found, as whoever asks sees it: safe between double quotes in a shell.
struct Place(String);

impl Place {
    fn new(headers: &HeaderMap, uri: &Uri, root: &str) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let safe = |text: &&str, others: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let host = host.filter(|host| safe(host, ".:-_[]")).unwrap_or("localhost");
        let root = Some(root).filter(|root| safe(root, "/.-_~%")).unwrap_or("/control");
        Self(format!("http://{host}{root}"))
    }

    /// What does `act` to a guard.
    fn curl(&self, guard: &Guard, act: &str, query: &str) -> String {
        let name = utf8_percent_encode(guard.name(), ENCODED);
        format!("curl -sS -X POST \"{}/guards/{name}/{act}?{query}by=$USER\"", self.0)
    }
}

fn listing(plimsoll: &Plimsoll, place: &Place) -> String {
    plimsoll.tick();
    let mut page = String::from(
        "What these lines decide ends by itself after the time given by `for` (1s to 7d; 1h if it is not said).\n\
         Who (`by`) and `why` are recorded: add &why=in+a+few+words.\n",
    );
    let (guards, keyed) = (plimsoll.guards(), plimsoll.keyed_guards());
    if guards.is_empty() && keyed.is_empty() {
        page.push_str("\nthere are no guards yet\n");
    }
    for guard in &guards {
        // Writing to a `String` cannot fail.
        _ = writeln!(page, "\nGuard {} (counts towards SLO {})\n  {}", guard.name(), guard.slo(), guard.explain());
        let mut line = |what: &str, act, query| _ = writeln!(page, "  {what:30}{}", place.curl(guard, act, query));
        if guard.has_breaker() {
            line("refuse every call", "open", "for=15m&");
            line("let every call pass", "close", "for=15m&");
            line("decide, and refuse nothing", "observe", "for=15m&");
            line("let it decide again", "auto", "");
        }
        line("shed all but critical calls", "shed", "below=critical&for=15m&");
        line("shed sheddable calls", "shed", "below=default&for=15m&");
        line("shed nothing by hand", "shed", "below=none&");
    }
    for keyed in keyed {
        _ = writeln!(page, "\nGuard {}\n  a breaker for each key: none of them can be forced", keyed.name());
    }
    page
}

/// What is done to a guard.
#[derive(Clone, Copy)]
enum Deed {
    Force(Mode),
    Shed(Option<Priority>),
}

/// What is refused, and why.
type Refusal = (StatusCode, String);

fn operate(plimsoll: &Plimsoll, name: &str, what: &str, query: Option<&str>, at: &Place) -> Result<String, Refusal> {
    let (deed, act) = read(what, query).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    let guard = find(plimsoll, name)?;
    let undo = match deed {
        Deed::Force(_) if !guard.has_breaker() => {
            let why = format!(
                "guard {name} has no breaker to force: `.breaker(…)` gives it one; without, calls can only be shed"
            );
            return Err((StatusCode::CONFLICT, why));
        }
        Deed::Force(mode) => {
            guard.operate(mode, &act);
            (mode != Mode::Auto).then_some(("auto", ""))
        }
        Deed::Shed(below) => {
            guard.shed(below, &act);
            below.map(|_| ("shed", "below=none&"))
        }
    };
    let undo = undo.map_or_else(String::new, |(act, query)| format!("undo: {}\n", at.curl(&guard, act, query)));
    Ok(format!("{}\n{undo}", guard.explain()))
}

fn read(what: &str, query: Option<&str>) -> Result<(Deed, Act), String> {
    let mode = match what {
        "open" => Mode::ForcedOpen,
        "close" => Mode::ForcedClosed,
        "observe" => Mode::Observe,
        "auto" => {
            let [by, why] = query::read(query, ["by", "why"])?;
            return Ok((Deed::Force(Mode::Auto), act(None, by, why)?));
        }
        "shed" => {
            let [below, lasts, by, why] = query::read(query, ["below", "for", "by", "why"])?;
            let below = priority(below.as_deref().unwrap_or_default())?;
            let lasts = below.map(|_| lasting(lasts)).transpose()?;
            return Ok((Deed::Shed(below), act(lasts, by, why)?));
        }
        _ => {
            return Err(format!("{what:?} is nothing to be done to a guard: write open, close, observe, auto or shed"));
        }
    };
    let [lasts, by, why] = query::read(query, ["for", "by", "why"])?;
    Ok((Deed::Force(mode), act(Some(lasting(lasts)?), by, why)?))
}

fn act(lasts: Option<Duration>, by: Option<String>, why: Option<String>) -> Result<Act, String> {
    Ok(Act { by: query::words("by", by, LONGEST_NAME)?, why: query::words("why", why, LONGEST_REASON)?, lasts })
}

fn lasting(given: Option<String>) -> Result<Duration, String> {
    let [default, least, most] = LASTS;
    given.map_or(Ok(default), |given| query::duration("for", &given, least, most))
}

/// Below which priority calls are shed: nothing is below the lowest.
fn priority(given: &str) -> Result<Option<Priority>, String> {
    match Priority::parse(given) {
        _ if given == "none" => Ok(None),
        Some(priority) if priority.level() > 0 => Ok(Some(priority)),
        _ => Err(format!(
            "`below={given:?}` is no priority below which there are others: write critical, default, a number from 1 to 255, \
             or none to shed nothing by hand any more"
        )),
    }
}

fn find(plimsoll: &Plimsoll, name: &str) -> Result<Guard, Refusal> {
    let guards = plimsoll.guards();
    if let Some(guard) = guards.iter().find(|guard| guard.name() == name) {
        return Ok(*guard);
    }
    if plimsoll.keyed_guards().iter().any(|keyed| keyed.name() == name) {
        let why = format!("guard {name} has a breaker for each of its keys, and none of them can be forced");
        return Err((StatusCode::CONFLICT, why));
    }
    let known: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    Err((StatusCode::NOT_FOUND, format!("there is no guard {name:?}; {}", super::words::known(&known))))
}
