//! Scratch memory: successive calls reuse it, concurrent calls get their own.
//!
//! Nobody ever waits for the lock. A process that is forked while another thread holds it would wait forever; so would a
//! signal handler that runs within the call that holds it. Whoever finds it locked works on fresh memory.

use std::sync::{Mutex, MutexGuard, TryLockError};

/// Scratch memory of more bytes is freed after the call that needed it: as much as 200,000 boxes need.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// What a pool lends.
pub(crate) trait Scratch: Default {
    /// How much memory it holds on to.
    fn bytes(&self) -> usize;
}

/// Scratch memory that no call uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Scratch> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Lends scratch memory to a call.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        let mut scratch = self.idle().and_then(|mut idle| idle.pop()).unwrap_or_default();
        let result = call(&mut scratch);
        if scratch.bytes() <= MAX_KEPT_BYTES
            && let Some(mut idle) = self.idle()
        {
            idle.push(scratch);
        }
        result
    }

    fn idle(&self) -> Option<MutexGuard<'_, Vec<T>>> {
        match self.0.try_lock() {
            Ok(idle) => Some(idle),
            Err(TryLockError::Poisoned(idle)) => Some(idle.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Scratch for Vec<u8> {
        fn bytes(&self) -> usize {
            self.capacity()
        }
    }

    #[test]
    fn scratch_memory_is_lent_again_unless_it_is_far_above_the_usual() {
        let pool: Pool<Vec<u8>> = Pool::new();
        pool.with(|scratch| scratch.reserve_exact(1000));
        pool.with(|scratch| {
            assert_eq!(scratch.capacity(), 1000);
            scratch.reserve_exact(MAX_KEPT_BYTES + 1);
        });
        pool.with(|scratch| assert_eq!(scratch.capacity(), 0));
    }

    #[test]
    fn nobody_waits_for_the_lock() {
        let pool: Pool<Vec<u8>> = Pool::new();
        pool.with(|scratch| scratch.reserve_exact(1000));
        let idle = pool.0.lock();
        pool.with(|scratch| assert_eq!(scratch.capacity(), 0));
        drop(idle);
        pool.with(|scratch| assert_eq!(scratch.capacity(), 1000));
    }
}
