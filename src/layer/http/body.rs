//! `GuardBody`: a body that says when it is over.

use crate::guard::Permit;
use crate::layer::call::poll_counted;
use crate::outcome::Outcome;
use bytes::{Buf, Bytes};
use http::{Method, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
        account: Option<Account>,
    },
    /// The guard's own answer.
    Problem(Option<Bytes>),
}

impl<B: Body> GuardBody<B> {
    /// A body that counts for nothing.
    pub(super) fn counted(body: B) -> Self {
        Self { kind: Kind::Guarded { body, account: None } }
    }

    pub(super) fn problem(text: Bytes) -> Self {
        Self { kind: Kind::Problem(Some(text)) }
    }

    /// Counts the call when `response`'s body is over: at once, if there is none.
    pub(super) fn counting(response: Response<B>, permit: Permit, outcome: Outcome, bodyless: bool) -> Response<Self> {
        permit.first_byte();
        let over = bodyless || response.body().is_end_stream() || has_no_body(response.status());
        let account = if over {
            permit.finish(outcome);
            None
        } else {
            Some(Account { permit: Some(permit), outcome, left: length(&response) })
        };
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
fn length<B: Body>(response: &Response<B>) -> Option<u64> {
    let said = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    response.body().size_hint().exact().or_else(said)
}

/// A call whose body is under way.
struct Account {
    permit: Option<Permit>,
    /// What the head of the response said.
    outcome: Outcome,
    left: Option<u64>,
}

impl Account {
    fn finish(mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            permit.finish(outcome);
        }
    }

    /// The body broke: bad, unless the call had failed anyway.
    fn broke(self) {
        let outcome = if self.outcome == Outcome::Success { Outcome::BodyError } else { self.outcome };
        self.finish(outcome);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Otherwise the permit is dropped, and knows by itself whether the thread unwinds.
        if (self.left == Some(0) || self.outcome != Outcome::Success)
            && let Some(permit) = self.permit.take()
        {
            permit.finish(self.outcome);
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
                let frame = ready!(poll_counted(account, || body.as_mut().poll_frame(cx)));
                let Some(under_way) = account else { return Poll::Ready(frame) };
                let over = match &frame {
                    None => true,
                    Some(Ok(frame)) => {
                        if let (Some(left), Some(data)) = (&mut under_way.left, frame.data_ref()) {
                            *left = left.saturating_sub(data.remaining() as u64);
                        }
                        frame.is_trailers() || body.is_end_stream()
                    }
                    Some(Err(_)) => {
                        account.take().into_iter().for_each(Account::broke);
                        return Poll::Ready(frame);
                    }
                };
                if over && let Some(account) = account.take() {
                    let outcome = account.outcome;
                    account.finish(outcome);
                }
                Poll::Ready(frame)
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
            Kind::Guarded { account: Some(_), .. } => "under way",
            Kind::Guarded { account: None, .. } => "counted",
            Kind::Problem(_) => "problem",
        };
        f.debug_tuple("GuardBody").field(&kind).finish()
    }
}
