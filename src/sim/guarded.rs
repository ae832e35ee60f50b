//! A guard as the admission policy: what is tried is what runs in production.

use super::policy::{Answer, Call, Ended, Policy};
use crate::breaker::Rejection;
use crate::guard::{Acquire, Guard, Permit};
use crate::outcome::Outcome;
use crate::shed::CallContext;
use crate::time::Timestamp;
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Admits by a guard, and tells it how calls end.
#[derive(Debug)]
pub(super) struct Guarded {
    guard: Guard,
    /// Whether the guard is told when clients leave.
    tells: bool,
    /// By place.
    seats: Vec<Seat>,
    woken: Arc<Mutex<Vec<u32>>>,
}

/// What belongs to a request, and to those in its place after it.
#[derive(Debug)]
struct Seat {
    waits: Option<Acquire>,
    permit: Option<Permit>,
    waker: Waker,
}

/// Remembers who was woken.
struct Bell {
    place: u32,
    woken: Arc<Mutex<Vec<u32>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().push(self.place);
    }
}

impl Guarded {
    pub(super) fn new(guard: Guard, tells: bool) -> Self {
        Self { guard, tells, seats: Vec::new(), woken: Arc::default() }
    }

    fn seat(&mut self, place: u32) -> &mut Seat {
        while self.seats.len() <= place as usize {
            let bell = Bell { place: self.seats.len() as u32, woken: Arc::clone(&self.woken) };
            self.seats.push(Seat { waits: None, permit: None, waker: Arc::new(bell).into() });
        }
        &mut self.seats[place as usize]
    }
}

impl Seat {
    /// What the guard says to who waits here, if it says anything yet.
    fn poll(&mut self) -> Option<Answer> {
        let polled = Pin::new(self.waits.as_mut()?).poll(&mut Context::from_waker(&self.waker));
        let answer = match polled {
            Poll::Pending => return None,
            Poll::Ready(Ok(permit)) => {
                self.permit = Some(permit);
                Answer::Admit
            }
            Poll::Ready(Err(rejection)) => refused(&rejection),
        };
        self.waits = None;
        Some(answer)
    }
}

fn refused(rejection: &Rejection) -> Answer {
    Answer::Refuse(rejection.reason().as_str())
}

impl Policy for Guarded {
    fn arrive(&mut self, call: &Call, _: Timestamp) -> Answer {
        let mut context = CallContext::new().priority(call.priority);
        if self.tells {
            context = context.deadline(call.deadline);
        }
        let waits = self.guard.acquire_in(context);
        let seat = self.seat(call.place);
        seat.waits = Some(waits);
        seat.poll().unwrap_or(Answer::Hold)
    }

    fn next(&mut self, _: usize, _: Timestamp) -> Option<(u32, Answer)> {
        loop {
            let place = self.woken.lock().pop()?;
            // Who was in this place before may have been woken too: then there is nothing to say.
            if let Some(answer) = self.seat(place).poll() {
                return Some((place, answer));
            }
        }
    }

    fn leave(&mut self, call: &Call, _: Timestamp) -> bool {
        // As when a connection is closed: the future is dropped, and so is the permit if it had just got one.
        let seat = self.seat(call.place);
        (seat.waits, seat.permit) = (None, None);
        true
    }

    fn end(&mut self, call: &Call, ended: Ended, _: Timestamp) {
        let Some(permit) = self.seat(call.place).permit.take() else { return };
        match ended {
            Ended::Success => permit.success(),
            Ended::Failure => permit.finish(Outcome::FAILURE),
            Ended::Left => drop(permit),
        }
    }
}
