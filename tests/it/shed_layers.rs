//! Limits in layers: who waits is called later, what a request brings along travels, and retries keep to a budget.

use crate::harness::{Rig, Task, ended, trip};
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use plimsoll::{CallContext, Guard, GuardError, HttpContext, Priority, Reason, Shed};
use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};

fn one_at_once() -> Shed {
    Shed::fixed(1).queue(10)
}

fn refused(guard: Guard, reason: Reason) -> u64 {
    guard.refusals().find(|(known, _)| *known == reason).map_or(0, |(_, n)| n)
}

#[test]
fn who_waits_is_called_when_there_is_room_with_the_service_that_was_readied() {
    let rig = Rig::new();
    let layer = rig.slo.guard().shed(one_at_once()).layer().unwrap();
    let called = Arc::new(AtomicU32::new(0));
    let (tell, gates) = (Arc::clone(&called), Arc::new(Mutex::new(Vec::new())));
    let opens = Arc::clone(&gates);
    let mut service = layer.layer(service_fn(move |n: u32| {
        tell.fetch_add(1, Ordering::SeqCst);
        let (open, gate) = oneshot::channel::<()>();
        opens.lock().unwrap().push(open);
        async move {
            gate.await.unwrap();
            Ok::<_, Infallible>(n)
        }
    }));
    let task = Task::default();
    let call = |service: &mut _, n| {
        assert!(task.with(|cx| Service::<u32>::poll_ready(service, cx)).is_ready());
        Box::pin(Service::call(service, n))
    };
    let mut first = call(&mut service, 1);
    let mut second = call(&mut service, 2);
    assert!(task.poll(first.as_mut()).is_pending());
    assert!(task.poll(second.as_mut()).is_pending());
    assert_eq!(called.load(Ordering::SeqCst), 1, "the second waits outside");

    let woken = task.woken();
    gates.lock().unwrap().remove(0).send(()).unwrap();
    assert!(matches!(task.poll(first.as_mut()), Poll::Ready(Ok(1))));
    assert!(task.woken() > woken, "and is told that there is room");
    assert!(task.poll(second.as_mut()).is_pending());
    assert_eq!(called.load(Ordering::SeqCst), 2);
    gates.lock().unwrap().remove(0).send(()).unwrap();
    assert!(matches!(task.poll(second.as_mut()), Poll::Ready(Ok(2))));
    assert_eq!(ended(layer.guard()), [("success", 2)]);
    assert_eq!(layer.guard().in_flight(), 0);
}

#[test]
fn time_spent_waiting_is_latency_for_the_slo() {
    let rig = Rig::new();
    let guard = rig.slo.guard().shed(one_at_once()).build().unwrap();
    let first = guard.admit().unwrap();
    let task = Task::default();
    let mut second = pin!(guard.acquire());
    assert!(task.poll(second.as_mut()).is_pending());
    rig.advance(0.4);
    first.success();
    let Poll::Ready(Ok(second)) = task.poll(second.as_mut()) else { panic!("there is room") };
    rig.advance(0.2);
    second.success();
    let latency = rig.slo.objective("latency").unwrap().reading(plimsoll::Window::minutes(1));
    assert_eq!((latency.tally.good, latency.tally.bad), (1, 1), "0.4 s and 0.6 s, of 0.5 s allowed");
}

#[tokio::test]
async fn who_waits_too_long_is_refused_in_real_time_with_nobody_else_about() {
    // Real time: what is tried is the runtime's timer.
    let plimsoll = plimsoll::Plimsoll::new();
    let slo = plimsoll.declare(plimsoll::Slo::new("slow").success(99.0)).unwrap();
    let guard = slo.guard().shed(one_at_once().max_wait(Duration::from_millis(20))).build().unwrap();
    let _stays = guard.admit().unwrap();
    let refusal = guard.run(async { Ok::<_, Infallible>(()) }).await.unwrap_err();
    assert!(matches!(refusal, GuardError::Rejected(rejection) if rejection.reason() == Reason::QueueTimeout));
    assert_eq!(ended(guard), [("shed", 1)]);
}

#[tokio::test]
async fn a_fallback_answers_who_finds_no_room() {
    let rig = Rig::new();
    let builder = rig.slo.guard().shed(Shed::fixed(1)).fallback_value("stale");
    let layer = builder.layer().unwrap();
    let service = layer.layer(service_fn(|()| ready(Ok::<_, Infallible>("fresh"))));
    let stays = layer.guard().admit().unwrap();
    assert_eq!(service.clone().oneshot(()).await.unwrap(), "stale");
    stays.success();
    assert_eq!(service.oneshot(()).await.unwrap(), "fresh");
    assert_eq!(ended(layer.guard()), [("success", 2), ("degraded", 1)]);
    assert_eq!(refused(layer.guard(), Reason::Limit), 1);
}

/// The priority and the deadline that calls within a handler see.
async fn seen(context: HttpContext, request: Request<Body>) -> (Priority, bool) {
    let rig = Rig::new();
    let layer = rig.slo.guard().shed(Shed::adaptive()).http().unwrap().context(context);
    let outbound = rig.slo.guard().named("outbound").shed(Shed::adaptive()).build().unwrap();
    let saw = Arc::new(Mutex::new(None));
    let (tell, clock) = (Arc::clone(&saw), rig.clock.clone());
    let handler = service_fn(move |_: Request<Body>| {
        let (tell, clock) = (Arc::clone(&tell), clock.clone());
        async move {
            // A turn later, as after any other wait.
            tokio::task::yield_now().await;
            clock.advance(Duration::from_millis(300));
            let late = outbound.admit().is_err_and(|refused| refused.reason() == Reason::Deadline);
            *tell.lock().unwrap() = Some((CallContext::current().importance(), late));
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let response = layer.layer(handler).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(CallContext::current(), CallContext::new(), "nothing is left behind");
    let saw = saw.lock().unwrap().take();
    saw.unwrap()
}

fn request() -> axum::http::request::Builder {
    Request::get("/").header("x-priority", "critical").header("grpc-timeout", "200m")
}

#[tokio::test]
async fn what_a_request_brings_along_reaches_the_outbound_guards_of_an_axum_handler() {
    let rig = Rig::new();
    let context =
        HttpContext::new().trust_priority("x-priority".parse().unwrap()).trust_timeout("grpc-timeout".parse().unwrap());
    let inbound = rig.slo.guard().shed(Shed::fixed(10)).http().unwrap().context(context);
    let outbound = rig.slo.guard().named("outbound").shed(Shed::fixed(1)).build().unwrap();
    let plain = rig.slo.guard().named("no limiter").build().unwrap();
    let clock = rig.clock.clone();
    let handler = move || async move {
        let reason = |result: Result<(), GuardError<Infallible>>| {
            result.map_or_else(|refused| refused.rejection().unwrap().reason().as_str(), |()| "paid")
        };
        let call = || async { Ok::<_, Infallible>(()) };
        outbound.shed_below(Some(Priority::CRITICAL));
        let first = reason(outbound.run(call()).await);
        outbound.shed_below(None);
        clock.advance(Duration::from_millis(300));
        let late = [reason(outbound.run(call()).await), reason(plain.run(call()).await)];
        format!("{first} {}", late.join(" "))
    };
    let app = axum::Router::new().route("/", axum::routing::get(handler)).layer(inbound);
    for (request, expected) in [
        (request(), "paid deadline deadline"),
        (Request::get("/").header("x-priority", "default"), "shed_by_hand paid paid"),
    ] {
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
        assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_less_time_than_the_line_allows_is_told_by_the_runtimes_timer() {
    // Real time would do as well; the runtime's is paused, the guard's is told what it stands at.
    let rig = Rig::new();
    let guard = rig.slo.guard().shed(one_at_once().max_wait(Duration::from_secs(3_600))).build().unwrap();
    let _stays = guard.admit().unwrap();
    let clock = rig.clock.clone();
    // Our clock is behind the runtime's at first: the timer is set anew.
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        clock.advance(Duration::from_millis(60));
    });
    let context = CallContext::new().within(Duration::from_millis(50));
    let began = tokio::time::Instant::now();
    let refusal = guard.acquire_in(context).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::QueueTimeout);
    assert!(began.elapsed() <= Duration::from_millis(110), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_caller_cannot_promote_itself() {
    assert_eq!(seen(HttpContext::new(), request().body(Body::empty()).unwrap()).await, (Priority::DEFAULT, false));
}

#[tokio::test]
async fn headers_that_are_trusted_are_believed_and_travel() {
    let context =
        HttpContext::new().trust_priority("x-priority".parse().unwrap()).trust_timeout("grpc-timeout".parse().unwrap());
    // 300 ms later nobody waits for the answer any more.
    assert_eq!(seen(context, request().body(Body::empty()).unwrap()).await, (Priority::CRITICAL, true));
}

#[tokio::test]
async fn what_the_services_own_middleware_says_is_believed() {
    let mut asked = request().body(Body::empty()).unwrap();
    asked.extensions_mut().insert(CallContext::new().priority(Priority::SHEDDABLE));
    assert_eq!(seen(HttpContext::new(), asked).await, (Priority::SHEDDABLE, false));
}

#[tokio::test]
async fn a_call_is_late_when_whom_it_works_for_is() {
    let rig = Rig::new();
    let layer = rig.slo.guard().shed(Shed::adaptive()).layer().unwrap();
    let reads = layer.clone().context(|_: &()| CallContext::new().within(Duration::from_secs(60)));
    let service = reads.layer(service_fn(|()| ready(Ok::<_, Infallible>(CallContext::current()))));
    let outer = CallContext::new().deadline(rig.clock.now().after(Duration::from_millis(100)));
    let mut outer_call = pin!(service.clone().oneshot(()));
    let inner = outer.sync_scope(|| Task::default().poll(outer_call.as_mut()));
    let Poll::Ready(Ok(inner)) = inner else { panic!("nothing to wait for") };
    assert_eq!(inner, outer, "its own minute would outlive the 100 ms that it is asked for");
    rig.advance(0.2);
    let mut late = pin!(service.oneshot(()));
    let refused = outer.sync_scope(|| Task::default().poll(late.as_mut()));
    assert!(matches!(refused, Poll::Ready(Err(GuardError::Rejected(r))) if r.reason() == Reason::Deadline));
}

#[tokio::test]
async fn a_shed_request_is_a_503_that_says_so() {
    let rig = Rig::new();
    let layer = rig.slo.guard().shed(Shed::fixed(1)).http().unwrap();
    let _stays = layer.guard().admit().unwrap();
    let service = layer.layer(service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Response::new(Body::empty())))));
    let response = service.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["reason"], "limit");
}

/// Knows nothing of any request.
#[derive(Clone)]
struct Silent;

impl<Req> plimsoll::ReadContext<Req> for Silent {
    fn read(&self, _: &Req) -> Option<CallContext> {
        None
    }
}

#[test]
fn a_request_of_which_nothing_is_known_is_bound_by_what_it_is_made_for() {
    let rig = Rig::new();
    let layer = rig.slo.guard().shed(one_at_once()).layer().unwrap().context(Silent);
    let service = layer.layer(service_fn(|()| ready(Ok::<_, Infallible>(CallContext::current().importance()))));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut ask = |context: CallContext| context.sync_scope(|| pin!(service.clone().oneshot(())).poll(&mut cx));
    let context = CallContext::new().priority(Priority::CRITICAL);
    assert!(matches!(ask(context), Poll::Ready(Ok(Priority::CRITICAL))));
    let late = ask(context.deadline(rig.clock.now()));
    assert!(matches!(late, Poll::Ready(Err(GuardError::Rejected(why))) if why.reason() == Reason::Deadline));
}

#[cfg(feature = "retry")]
mod retries {
    use super::{Rig, ended, trip};
    use plimsoll::RetryBudget;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    #[test]
    fn a_fifth_more_and_three() {
        let rig = Rig::new();
        let guard = rig.slo.guard().build().unwrap();
        let budget = RetryBudget::new(guard);
        for _ in 0..1_000 {
            guard.admit().unwrap().success();
        }
        // Each extra call is a call as well, but pays for no other.
        let extra = || (0..10_000).filter(|_| budget.try_spend()).map(|_| guard.admit().unwrap().failure()).count();
        assert_eq!(extra(), 203);
        assert_eq!(extra(), 0, "it is spent");
        assert!(!budget.clone().try_spend(), "and clones share it");
        rig.advance(200.0);
        assert_eq!(extra(), 3, "old calls pay for nothing");
    }

    #[test]
    fn callers_at_once_are_allowed_no_more_together() {
        const EACH: u32 = 20_000;
        let rig = Rig::new();
        let guard = rig.slo.guard().build().unwrap();
        let budget = RetryBudget::new(guard);
        // No time passes: nothing is forgotten.
        let call = || {
            guard.admit().unwrap().failure();
            budget.try_spend()
        };
        let caller = || (0..EACH).filter(|_| call()).count();
        let extra: usize = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(caller)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert!(extra <= 8 * EACH as usize / 5 + 3, "{extra} extra calls for {}", 8 * EACH);
    }

    #[test]
    fn none_while_the_breaker_is_open() {
        let rig = Rig::new();
        let guard = rig.guard().build().unwrap();
        let budget = RetryBudget::new(guard);
        assert!(budget.try_spend());
        trip(guard);
        assert!(!budget.try_spend());
    }

    #[test]
    fn none_while_it_probes_or_ramps_and_none_for_nobody() {
        let rig = Rig::new();
        let breaker = plimsoll::Breaker::default().jitter(0.0);
        let guard = rig.slo.guard().breaker(breaker).build().unwrap();
        let budget = RetryBudget::new(guard);
        while let Ok(permit) = guard.admit() {
            permit.failure();
        }
        rig.advance(60.0);
        assert!(!budget.try_spend(), "{:?}", guard.state());
        (0..3).for_each(|_| guard.admit().unwrap().success());
        assert!(!budget.try_spend(), "{:?}", guard.state());
        rig.advance(60.0);
        assert!(budget.try_spend());
        // Whoever it is for has left.
        let context = plimsoll::CallContext::new().deadline(rig.clock.now());
        assert!(!context.sync_scope(|| budget.try_spend()));
        assert!(budget.try_spend());
    }

    #[test]
    fn a_hedge_is_an_extra_call_whoever_asks_for_it() {
        use tower::retry::budget::Budget;
        let rig = Rig::new();
        let guard = rig.slo.guard().build().unwrap();
        let budget = RetryBudget::new(guard);
        (0..100).for_each(|_| guard.admit().unwrap().success());
        let hedges = (0..50).filter(|_| budget.try_spend()).map(|_| guard.admit().unwrap().success()).count();
        assert_eq!(hedges, 23);
        budget.deposit();
        assert!(!budget.withdraw(), "none is left for a retry, by Tower's name for it");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_not_multiplied() {
        let rig = Rig::new();
        let layer = rig.slo.guard().layer().unwrap();
        let guard = layer.guard();
        let budget = RetryBudget::new(guard);
        let asked = Arc::new(AtomicU32::new(0));
        let tell = Arc::clone(&asked);
        let service = ServiceBuilder::new().retry(budget.policy()).layer(layer).service(service_fn(move |()| {
            tell.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Err::<(), _>(io::Error::other("down")))
        }));
        for _ in 0..100 {
            service.clone().oneshot(()).await.unwrap_err();
        }
        let asked = asked.load(Ordering::SeqCst);
        assert!((100..=123).contains(&asked), "{asked} calls for 100");
        assert!(asked > 115, "{asked}: what the budget allows is used");
        assert_eq!(ended(guard), [("failure", u64::from(asked))]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_once_is_tried_again_and_what_must_not_be_is_not() {
        let rig = Rig::new();
        let layer = rig.slo.guard().layer().unwrap();
        let budget = RetryBudget::new(layer.guard());
        let policy = budget
            .policy()
            .pause(Duration::from_secs(1))
            .only(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut);
        let asked = Arc::new(AtomicU32::new(0));
        let tell = Arc::clone(&asked);
        let service =
            ServiceBuilder::new().retry(policy).layer(layer).service(service_fn(move |kind: io::ErrorKind| {
                let n = tell.fetch_add(1, Ordering::SeqCst);
                std::future::ready(if n.is_multiple_of(2) { Err(io::Error::from(kind)) } else { Ok(()) })
            }));
        service.clone().oneshot(io::ErrorKind::TimedOut).await.unwrap();
        service.oneshot(io::ErrorKind::PermissionDenied).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn what_is_spawned_knows_whom_it_works_for_if_told() {
    let context = CallContext::new().priority(Priority::CRITICAL).tenant(&"acme");
    let told = async {
        let (own, lost) = (CallContext::current(), tokio::spawn(async { CallContext::current() }));
        let kept = tokio::spawn(own.scope(async {
            tokio::task::yield_now().await; // still so when it is polled again, by whichever thread
            CallContext::current()
        }));
        (lost.await.unwrap(), kept.await.unwrap())
    };
    assert_eq!(context.scope(told).await, (CallContext::new(), context));
    assert_eq!(CallContext::current(), CallContext::new());
}
