//! Work that threads share.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

use crate::Error;

/// Does all tasks, on up to `threads` threads, of which this is the first: each takes the next task when it is done with
/// one. Where no thread is to be had, those that run do the work.
///
/// # Errors
/// What the first task that failed returned, in the order of the tasks; those after it may not have been done.
pub(crate) fn for_each<I: ExactSizeIterator + Send>(
    tasks: I,
    threads: usize,
    run: impl Fn(I::Item) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let threads = threads.min(tasks.len());
    let tasks = Mutex::new(tasks.enumerate());
    let first_error = Mutex::new(None::<(usize, Error)>);
    let work = || {
        loop {
            let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, task)) = task else { break };
            if let Err(error) = run(task) {
                let mut first_error = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                if first_error.as_ref().is_none_or(|(first, _)| number < *first) {
                    *first_error = Some((number, error));
                }
                break;
            }
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
    let first_error = first_error.into_inner().unwrap_or_else(PoisonError::into_inner);
    first_error.map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_done_once() {
        for threads in [0, 1, 2, 5, 100] {
            let mut counts = [0; 37];
            let done = for_each(counts.iter_mut(), threads, |count| {
                *count += 1;
                Ok(())
            });
            assert_eq!((done, counts), (Ok(()), [1; 37]));
        }
    }

    #[test]
    fn the_first_error_in_the_order_of_the_tasks_is_returned() {
        for threads in [1, 2, 5, 100] {
            let fail_from_7_on = |number| if number < 7 { Ok(()) } else { Err(Error::NumClasses(number)) };
            assert_eq!(for_each(0..37, threads, fail_from_7_on), Err(Error::NumClasses(7)));
        }
    }
}
