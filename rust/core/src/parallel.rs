//! Work that threads share.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

/// Does all tasks, on up to `threads` threads, of which this is the first: each takes the next task when it is done with
/// one. Where no thread is to be had, those that run do the work.
pub(crate) fn for_each<I: ExactSizeIterator + Send>(tasks: I, threads: usize, run: impl Fn(I::Item) + Sync) {
    let threads = threads.min(tasks.len());
    let tasks = Mutex::new(tasks);
    let work = || {
        loop {
            let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(task) = task else { break };
            run(task);
        }
    };
    scope(|scope| {
        for _ in 1..threads {
            if Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_done_once() {
        for threads in [0, 1, 2, 5, 100] {
            let mut counts = [0; 37];
            for_each(counts.iter_mut(), threads, |count| *count += 1);
            assert_eq!(counts, [1; 37]);
        }
    }
}
