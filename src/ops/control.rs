//! The routes that change something.

use super::query;
use super::router::{plain, refused};
use crate::breaker::Mode;
use crate::guard::{Act, Guard};
use crate::registry::Plimsoll;
use axum::Router;
use axum::extract::{OriginalUri, Path, RawQuery};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
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
///
/// ```sh
/// curl -sS "http://127.0.0.1:9000/control"
/// curl -sS -X POST "http://127.0.0.1:9000/control/guards/payments/open?for=15m&by=$USER&why=migration"
/// curl -sS -X POST "http://127.0.0.1:9000/control/guards/payments/auto?by=$USER"
/// ```
///
/// What is decided here ends by itself, for a breaker that is forced and forgotten is the next outage: after `for` (1 s to
/// 7 d, such as `15m`, `2h` or `1h30m`), after an hour if it is not said. Then the breaker does again what it did before an
/// operator came. Time is looked at when calls come, about every half second, and at readings. `by` (64 characters) and
/// `why` (256) are recorded in an [event](crate::EventKind::Operator), and shown on the status page and in the timeline.
///
/// The answer is 200 with the new state in words and the line that undoes it; 400 with what is allowed; 404 with the guards
/// there are; 409 if the guard has nothing to be forced: no breaker, or one for each key. A request from a browser, which
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
        operate(&act, &name, &what, query.as_deref(), &place).unwrap_or_else(|refusal| refusal)
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
        if guard.has_breaker() {
            let lines = [
                ("refuse every call", "open"),
                ("let every call pass", "close"),
                ("decide, refuse nothing", "observe"),
            ];
            for (what, act) in lines {
                _ = writeln!(page, "  {what:24}{}", place.curl(guard, act, "for=15m&"));
            }
            _ = writeln!(page, "  {:24}{}", "let it decide again", place.curl(guard, "auto", ""));
        }
    }
    for keyed in keyed {
        _ = writeln!(page, "\nGuard {}\n  a breaker for each key: none of them can be forced", keyed.name());
    }
    page
}

fn operate(
    plimsoll: &Plimsoll,
    name: &str,
    what: &str,
    query: Option<&str>,
    place: &Place,
) -> Result<Response, Response> {
    let mode = match what {
        "open" => Mode::ForcedOpen,
        "close" => Mode::ForcedClosed,
        "observe" => Mode::Observe,
        "auto" => Mode::Auto,
        _ => {
            return Err(refused(format!(
                "{what:?} is nothing that a guard can do: write open, close, observe or auto"
            )));
        }
    };
    let act = act(mode, query).map_err(refused)?;
    let guard = find(plimsoll, name)?;
    if !guard.has_breaker() {
        return Err(plain(
            StatusCode::CONFLICT,
            format!("guard {name} has no breaker: there is nothing to be forced\n"),
        ));
    }
    guard.operate(mode, &act);
    let undo = match mode {
        Mode::Auto => String::new(),
        _ => format!("undo: {}\n", place.curl(&guard, "auto", "")),
    };
    Ok(plain(StatusCode::OK, format!("{}\n{undo}", guard.explain())))
}

fn act(mode: Mode, query: Option<&str>) -> Result<Act, String> {
    let [default, least, most] = LASTS;
    let (by, why, lasts) = if mode == Mode::Auto {
        let [by, why] = query::read(query, ["by", "why"])?;
        (by, why, None)
    } else {
        let [lasts, by, why] = query::read(query, ["for", "by", "why"])?;
        let lasts = lasts.map_or(Ok(default), |lasts| query::duration("for", &lasts, least, most))?;
        (by, why, Some(lasts))
    };
    Ok(Act { by: query::words("by", by, LONGEST_NAME)?, why: query::words("why", why, LONGEST_REASON)?, lasts })
}

fn find(plimsoll: &Plimsoll, name: &str) -> Result<Guard, Response> {
    let guards = plimsoll.guards();
    if let Some(guard) = guards.iter().find(|guard| guard.name() == name) {
        return Ok(*guard);
    }
    let keyed = plimsoll.keyed_guards();
    if keyed.iter().any(|keyed| keyed.name() == name) {
        let why = format!("guard {name} has a breaker for each of its keys, and none of them can be forced\n");
        return Err(plain(StatusCode::CONFLICT, why));
    }
    let known: Vec<&str> = guards.iter().map(|guard| guard.name()).collect();
    Err(plain(StatusCode::NOT_FOUND, format!("there is no guard {name:?}; {}", super::words::known(&known))))
}
