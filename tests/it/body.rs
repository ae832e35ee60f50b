//! Bodies: a call counts when its body ends, breaks or is dropped.

use crate::harness::{Rig, Task, ended, now, trip};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use plimsoll::{Guard, GuardBody, HttpLayer, Outcome, State, Window};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

#[derive(Clone, Debug)]
enum Step {
    Data(&'static str),
    Trailers,
    Wait,
    Break,
    Panic,
}
use Step::{Break, Data, Panic, Trailers, Wait};

/// A body that does as it was told.
#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    /// Whether it knows its end when it is there, rather than only when asked once more.
    knows_its_end: bool,
    length: Option<u64>,
}

fn script(steps: &[Step]) -> Script {
    Script { steps: steps.iter().cloned().collect(), ..Script::default() }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Data(text)) => Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))),
            Some(Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Wait) => return Poll::Pending,
            Some(Break) => Some(Err("broken")),
            Some(Panic) => panic!("as planned"),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn layer(rig: &Rig) -> HttpLayer {
    rig.guard().http().unwrap()
}

fn answer<B>(layer: &HttpLayer, method: Method, response: Response<B>) -> Response<GuardBody<B>>
where
    B: Body<Data = Bytes>,
{
    let response = std::cell::Cell::new(Some(response));
    let service = layer.layer(service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(response.take().unwrap()))));
    now(service.oneshot(Request::builder().method(method).body(()).unwrap())).unwrap()
}

fn get<B: Body<Data = Bytes>>(layer: &HttpLayer, body: B) -> GuardBody<B> {
    answer(layer, Method::GET, Response::new(body)).into_body()
}

fn with_status<B>(status: u16, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

#[allow(clippy::type_complexity)] // it is what a body gives
fn next<B: Body + Unpin>(body: &mut B) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    Task::default().with(|cx| Pin::new(body).poll_frame(cx))
}

fn under_way(guard: Guard) -> bool {
    assert_eq!(guard.in_flight() == 0, !ended(guard).is_empty());
    guard.in_flight() == 1
}

#[test]
fn a_streamed_body_counts_at_its_end() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut body = get(&layer, script(&[Data("a"), Wait, Data("b")]));
    for _ in 0..3 {
        assert!(under_way(layer.guard()));
        _ = next(&mut body);
    }
    assert!(under_way(layer.guard()));
    assert!(matches!(next(&mut body), Poll::Ready(None)));
    assert_eq!(ended(layer.guard()), [("success", 1)]);
    drop(body);
    assert_eq!(ended(layer.guard()), [("success", 1)], "once");
}

#[test]
fn trailers_are_the_end() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut body = get(&layer, script(&[Data("a"), Trailers]));
    _ = next(&mut body);
    assert!(under_way(layer.guard()));
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(frame))) if frame.is_trailers()));
    assert_eq!(ended(layer.guard()), [("success", 1)]);
}

#[test]
fn a_body_that_knows_its_end_counts_with_the_last_frame() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut body = get(&layer, Script { knows_its_end: true, ..script(&[Data("a"), Data("b")]) });
    _ = next(&mut body);
    assert!(under_way(layer.guard()) && !body.is_end_stream());
    _ = next(&mut body);
    assert!(body.is_end_stream());
    assert_eq!(ended(layer.guard()), [("success", 1)]);
}

#[test]
fn a_dropped_body_is_abandoned() {
    let rig = Rig::new();
    let layer = layer(&rig);
    drop(get(&layer, script(&[Data("a")])));
    let mut body = get(&layer, script(&[Data("a"), Data("b")]));
    _ = next(&mut body);
    drop(body);
    assert_eq!(ended(layer.guard()), [("abandoned", 2)]);
    assert_eq!(layer.guard().in_flight(), 0);
}

#[test]
fn a_broken_body_is_a_body_error() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut body = get(&layer, script(&[Data("a"), Break]));
    _ = next(&mut body);
    assert!(matches!(next(&mut body), Poll::Ready(Some(Err("broken")))));
    assert_eq!(ended(layer.guard()), [("body_error", 1)]);
    drop(body);
    assert_eq!(ended(layer.guard()), [("body_error", 1)], "once");
}

#[test]
fn a_body_that_panics_counts_as_panicked_even_if_it_is_dropped_later() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut body = get(&layer, script(&[Panic]));
    assert!(catch_unwind(AssertUnwindSafe(|| next(&mut body).is_ready())).is_err());
    assert_eq!(ended(layer.guard()), [("panicked", 1)]);
    drop(body);
    assert_eq!(ended(layer.guard()), [("panicked", 1)], "once");
}

#[test]
fn a_failed_head_stays_a_failure_however_its_body_goes() {
    let rig = Rig::new();
    let layer = rig.slo.guard().http().unwrap();
    drop(answer(&layer, Method::GET, with_status(500, script(&[Data("a")]))));
    let mut broken = answer(&layer, Method::GET, with_status(502, script(&[Break]))).into_body();
    _ = next(&mut broken);
    _ = now(answer(&layer, Method::GET, with_status(503, script(&[Data("a")]))).into_body().collect());
    drop(answer(&layer, Method::GET, with_status(429, script(&[Data("a")]))));
    assert_eq!(ended(layer.guard()), [("failure", 3), ("degraded", 1)]);
}

#[test]
fn no_body_counts_at_once() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let unread = || script(&[Data("a")]);
    let mut kept = vec![answer(&layer, Method::HEAD, Response::new(unread()))];
    for status in [204, 304, 101] {
        kept.push(answer(&layer, Method::GET, with_status(status, unread())));
    }
    kept.push(answer(&layer, Method::GET, Response::new(Script { knows_its_end: true, ..script(&[]) })));
    assert_eq!(ended(layer.guard()), [("success", 5)]);
    let empty = answer(&layer, Method::GET, Response::new(Empty::<Bytes>::new()));
    assert_eq!(ended(layer.guard()), [("success", 6)]);
    drop((kept, empty));
    assert_eq!(ended(layer.guard()), [("success", 6)], "once");
}

#[test]
fn a_body_of_known_length_is_over_when_all_of_it_was_read() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let mut by_hint = get(&layer, Script { length: Some(3), ..script(&[Data("ab"), Data("c")]) });
    let mut by_header = Response::new(script(&[Data("ab"), Data("c")]));
    by_header.headers_mut().insert(header::CONTENT_LENGTH, 3.into());
    let mut by_header = answer(&layer, Method::GET, by_header).into_body();
    let mut short = get(&layer, Script { length: Some(3), ..script(&[Data("ab"), Data("c")]) });
    for body in [&mut by_hint, &mut by_header] {
        _ = next(body);
        _ = next(body);
    }
    _ = next(&mut short);
    assert_eq!(layer.guard().in_flight(), 3);
    // As servers do: they count the bytes, and do not ask for more.
    drop((by_hint, by_header, short));
    assert_eq!(ended(layer.guard()), [("success", 2), ("abandoned", 1)]);
}

#[test]
fn the_first_byte_and_the_last_have_their_own_latency() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let request = Request::new(());
    let service = layer.layer(service_fn(|_: Request<()>| {
        rig.advance(0.1);
        ready(Ok::<_, Infallible>(Response::new(script(&[Data("a"), Data("b")]))))
    }));
    let mut body = now(service.oneshot(request)).unwrap().into_body();
    rig.advance(2.0);
    while let Poll::Ready(Some(_)) = next(&mut body) {}
    let near = |latency: Option<Duration>, seconds: f64| (latency.unwrap().as_secs_f64() / seconds - 1.0).abs() < 0.04;
    let first = layer.guard().first_byte().unwrap();
    assert!(first.count() == 1 && near(first.quantile(0.5), 0.1), "{first:?}");
    assert!(near(rig.slo.latency(Window::minutes(1)).quantile(0.5), 2.1));
    let latency = rig.slo.objectives().find(|objective| objective.name() != "success").unwrap();
    assert_eq!(latency.total().bad, 1, "the promise is about the last byte");
    assert!(rig.slo.guard().named("other").build().unwrap().first_byte().is_none());
}

#[test]
fn the_breaker_is_told_at_the_end() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let first = answer(&layer, Method::GET, with_status(500, script(&[Data("a")])));
    let mut second = get(&layer, script(&[Data("a"), Break]));
    assert_eq!(layer.guard().state(), State::Closed);
    drop(first);
    assert_eq!(layer.guard().state(), State::Closed);
    _ = next(&mut second);
    _ = next(&mut second);
    assert_eq!(layer.guard().state(), State::Open, "two bad ones in a row: one by its status, one by its body");
}

#[test]
fn an_abandoned_body_of_a_probe_offers_the_probe_again() {
    let rig = Rig::new();
    let layer = layer(&rig);
    trip(layer.guard());
    rig.advance(10.0);
    let body = get(&layer, script(&[Data("a")]));
    assert_eq!(answer(&layer, Method::GET, Response::new(script(&[]))).status(), 503, "the one probe is under way");
    drop(body);
    assert_eq!(layer.guard().state(), State::HalfOpen);
    _ = now(get(&layer, script(&[Data("a")])).collect());
    assert_eq!(layer.guard().state(), State::Closed);
}

#[test]
fn a_guarded_body_passes_on_what_is_known_of_it() {
    let rig = Rig::new();
    let layer = layer(&rig);
    let body = get(&layer, Full::new(Bytes::from_static(b"paid")));
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(4), false));
    assert_eq!(now(body.collect()).unwrap().to_bytes(), "paid");
    layer.guard().force_open();
    let problem = get(&layer, Full::new(Bytes::from_static(b"paid")));
    let length = problem.size_hint().exact().unwrap();
    assert!(!problem.is_end_stream());
    assert_eq!(now(problem.collect()).unwrap().to_bytes().len() as u64, length);
}

#[test]
fn an_answer_of_a_fallback_is_degraded_whatever_becomes_of_its_body() {
    let rig = Rig::new();
    let layer = rig
        .guard()
        .fallback(|_: Request<()>, _| ready(Ok::<_, ()>(Response::new(script(&[Data("cached")])))))
        .also_on_failure()
        .http()
        .unwrap()
        .classify(|result: Result<&Response<Script>, &Infallible>| match result {
            Ok(response) if response.status() == 500 => Outcome::FAILURE,
            _ => Outcome::Success,
        });
    let failing = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(with_status(500, script(&[Data("no")])))));
    let response = now(layer.layer(failing).oneshot(Request::new(()))).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(ended(layer.guard()), [("degraded", 1)]);
    drop(response);
    assert_eq!(ended(layer.guard()), [("degraded", 1)]);
}

#[test]
fn what_is_not_bad_is_answered_by_no_fallback() {
    let rig = Rig::new();
    let cached = |_: Request<()>, _| ready(Ok::<_, ()>(Response::new(script(&[Data("cached")]))));
    let layer = rig.guard().fallback(cached).also_on_failure().http().unwrap();
    for (upstream, got) in [(200, 200), (404, 404), (429, 429), (503, 200)] {
        let service = layer
            .layer(service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(with_status(upstream, script(&[]))))));
        let response = now(service.oneshot(Request::new(()))).unwrap();
        assert_eq!(response.status(), got);
        _ = now(response.into_body().collect());
    }
    assert_eq!(ended(layer.guard()), [("success", 2), ("degraded", 2)]);
}

#[test]
fn a_guard_adds_little_to_a_future_and_to_a_body() {
    let rig = Rig::new();
    let service = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))));
    let plain = { service.clone().call(Request::new(())) };
    let guarded = { layer(&rig).layer(service).call(Request::new(())) };
    let futures = (size_of_val(&plain), size_of_val(&guarded));
    let bodies = (size_of::<Full<Bytes>>(), size_of::<GuardBody<Full<Bytes>>>());
    println!("futures {futures:?}, bodies {bodies:?}");
    assert!(futures.1 <= futures.0 + 64 && bodies.1 <= bodies.0 + 64, "futures {futures:?}, bodies {bodies:?}");
}
