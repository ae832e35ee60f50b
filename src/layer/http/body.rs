//! `GuardBody`: a body that says when it is over.

use crate::guard::Permit;
use crate::layer::call::poll_counted;
use crate::outcome::Outcome;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a guarded response. The call counts when the body ends, breaks or is dropped, whichever comes first.
///
/// Dropped before its end, it counts as abandoned, unless the response was not a success in the first place: then it
/// counts as that. A body of known length is at its end when so many bytes have been read: servers do not ask for more.
#[pin_project]
pub struct GuardBody<B> {
    #[pin]
    kind: Kind<B>,
}

#[pin_project(project = KindProj)]
enum Kind<B> {
    Guarded {
        #[pin]
        body: B,
        account: Account,
    },
    /// The guard's own answer.
    Problem(Option<Bytes>),
}

impl<B: Body> GuardBody<B> {
    /// A body that counts for nothing.
    pub(super) fn counted(body: B) -> Self {
        Self { kind: Kind::Guarded { body, account: Account::default() } }
    }

    pub(super) fn problem(text: Bytes) -> Self {
        Self { kind: Kind::Problem(Some(text)) }
    }

    /// Counts the call when `response`'s body is over: at once, if there is none.
    #[inline(always)] // see `Guarded::call`
    pub(super) fn counting(response: Response<B>, permit: Permit, outcome: Outcome, bodyless: bool) -> Response<Self> {
        permit.first_byte();
        let left = length(&response);
        let over = bodyless || has_no_body(response.status()) || response.body().is_end_stream();
        let mut account = Account { permit: Some(permit), outcome, left };
        if over {
            account.finish(outcome);
        }
        response.map(|body| Self { kind: Kind::Guarded { body, account } })
    }
}

/// Whether the response to a request with this method never has a body: one may be there, but nobody reads it.
pub(super) fn is_bodyless(method: &Method) -> bool {
    method == Method::HEAD
}

/// RFC 9110, 6.4.1.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// How many bytes are to come, if it is known.
#[inline]
fn length<B: Body>(response: &Response<B>) -> Option<u64> {
    response.body().size_hint().exact().or_else(|| said(response.headers()))
}

#[cold]
fn said(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A call whose body is under way.
struct Account {
    /// Until it is counted.
    permit: Option<Permit>,
    /// What the head of the response said.
    outcome: Outcome,
    left: Option<u64>,
}

/// Of a call that is counted.
impl Default for Account {
    fn default() -> Self {
        Self { permit: None, outcome: Outcome::Success, left: None }
    }
}

impl Account {
    #[inline]
    fn finish(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            permit.finish(outcome);
        }
    }

    /// Sees what the body gave, and whether it says that this was its end.
    #[inline]
    fn see<D: Buf, E>(&mut self, given: Option<&Result<Frame<D>, E>>, at_end: impl FnOnce() -> bool) {
        match given {
            Some(Ok(frame)) => {
                if let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) {
                    *left = left.saturating_sub(data.remaining() as u64);
                }
                if frame.is_trailers() || at_end() {
                    self.finish(self.outcome);
                }
            }
            None => self.finish(self.outcome),
            // It broke: bad, unless the call had failed anyway.
            Some(Err(_)) if self.outcome == Outcome::Success => self.finish(Outcome::BodyError),
            Some(Err(_)) => self.finish(self.outcome),
        }
    }
}

impl Drop for Account {
    #[inline]
    fn drop(&mut self) {
        // Otherwise the permit is dropped, and knows by itself whether the thread unwinds.
        if self.permit.is_some() && (self.left == Some(0) || self.outcome != Outcome::Success) {
            self.finish(self.outcome);
        }
    }
}

impl<B> Body for GuardBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProj::Guarded { mut body, account } => {
                let polled = poll_counted(account, || body.as_mut().poll_frame(cx));
                if let Poll::Ready(frame) = &polled {
                    account.see(frame.as_ref(), || body.is_end_stream());
                }
                polled
            }
            KindProj::Problem(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Guarded { body, .. } => body.is_end_stream(),
            Kind::Problem(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Guarded { body, .. } => body.size_hint(),
            Kind::Problem(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}

impl<B> fmt::Debug for GuardBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Guarded { account: Account { permit: Some(_), .. }, .. } => "under way",
            Kind::Guarded { .. } => "counted",
            Kind::Problem(_) => "problem",
        };
        f.debug_tuple("GuardBody").field(&kind).finish()
    }
}
