//! What a request brings along, as a layer reads it.

use crate::shed::CallContext;

/// Says what a request brings along: how much it matters, until when its answer is of use, whose it is.
///
/// Closures from `&Request` to [`CallContext`] do, too.
pub trait ReadContext<Req> {
    /// What is known of a request; none, if nothing is: then what it is made for says it ([`CallContext::current`]).
    fn read(&self, request: &Req) -> Option<CallContext>;
}

/// Nothing is read from a request: what was read from the one that it is made for still holds
/// ([`CallContext::current`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskContext;

impl<Req> ReadContext<Req> for TaskContext {
    #[inline]
    fn read(&self, _: &Req) -> Option<CallContext> {
        CallContext::is_present().then(CallContext::current)
    }
}

impl<Req, F: Fn(&Req) -> CallContext> ReadContext<Req> for F {
    fn read(&self, request: &Req) -> Option<CallContext> {
        Some(self(request))
    }
}
