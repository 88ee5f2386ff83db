//! Memory that calls use one after the other, calls at the same time each their own. It stays as large as the largest call
//! needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values that no call uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Lends a value, a new one if all are in use.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.idle().pop().unwrap_or_default();
        let result = call(&mut value);
        self.idle().push(value);
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
