//! Memory that the system refuses is an error wherever it is asked for: the process lives on.

#![expect(clippy::unwrap_used, clippy::cast_precision_loss, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use yoloxfast_core::{Error, Format, Grid, Job, Level, Options, Plan, PostProcessor, Rows, Size, nms};

/// Smaller allocations succeed: only what grows with the caller's sizes may be refused.
const LARGE: usize = 4096;

const NEVER: usize = usize::MAX;

/// Refuses one large allocation, counted from 0.
struct Refusing {
    next: AtomicUsize,
    refused: AtomicUsize,
}

impl Refusing {
    fn refuses(&self, size: usize) -> bool {
        size >= LARGE && self.next.fetch_add(1, SeqCst) == self.refused.load(SeqCst)
    }
}

// SAFETY: the system's allocator, which may refuse at any time.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises.
        if self.refuses(layout.size()) { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        if self.refuses(size) { null_mut() } else { unsafe { System.realloc(pointer, layout, size) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing { next: AtomicUsize::new(0), refused: AtomicUsize::new(NEVER) };

/// Calls it while the large allocation of that number is refused; returns whether the call came to that allocation.
fn is_refused<R>(what: &str, number: usize, call: impl Fn() -> Result<R, Error>) -> bool {
    ALLOCATOR.refused.store(number, SeqCst);
    ALLOCATOR.next.store(0, SeqCst);
    let result = call();
    ALLOCATOR.refused.store(NEVER, SeqCst);
    let was_refused = ALLOCATOR.next.load(SeqCst) > number;
    assert_eq!(matches!(result, Err(Error::Memory { bytes }) if bytes > 0), was_refused, "{what}, allocation {number}");
    was_refused
}

/// Refuses each of the large allocations of a call in turn.
fn refuse_each<R>(what: &str, call: impl Fn() -> Result<R, Error>) {
    assert!(is_refused(what, 0, &call), "{what} asks for no large memory: this tests nothing");
    let mut number = 1;
    while is_refused(what, number, &call) {
        number += 1;
    }
}

/// The same for a call that keeps its memory for the next: what was refused before is granted, what follows is not.
fn refuse_each_kept<R>(what: &str, call: impl Fn() -> Result<R, Error>) {
    is_refused(what, 0, &call);
    while is_refused(what, 1, &call) {}
}

/// All in one test: others would allocate meanwhile.
#[test]
fn refused_memory_is_an_error() {
    refuse_each("a grid", || Grid::new(640, 640, &[8, 16, 32]));
    refuse_each("options", || Options::new(1 << 16)?.class_ids(&[1]));
    for level in Level::available() {
        refuse_in_postprocessing(level);
        refuse_in_nms(level);
        refuse_in_letterbox(level);
    }
}

fn refuse_in_postprocessing(level: Level) {
    let post = || PostProcessor::new(Grid::new(640, 640, &[8, 16, 32])?, 1, level);
    let anchors = 8400;
    let raw: Vec<f32> =
        (0..anchors * 6).map(|number| if number % 6 < 4 { number as f32 * 1e-6 } else { 0.9 }).collect();
    let narrow: Vec<half::f16> = raw.iter().map(|value| half::f16::from_f32(*value)).collect();
    let (raw, narrow) = (Rows::new(&raw, anchors, 6).unwrap(), Rows::new(&narrow, anchors, 6).unwrap());
    let options = Options::new(1).unwrap();
    refuse_each("decode", || post()?.decode(raw));
    refuse_each("run", || post()?.run(raw, 1.0, &options));
    refuse_each("run of half floats", || post()?.run(narrow, 1.0, &options));
    refuse_each("run_batch", || post()?.run_batch([(raw, 1.0); 2].into_iter(), &options, 2));
    let nothing = options.score_threshold(1.0).unwrap();
    refuse_each("run_batch of many", || post()?.run_batch([(raw, 1.0); 100].into_iter(), &nothing, 1));
}

fn refuse_in_nms(level: Level) {
    for (count, side) in [(300, 10.0), (5000, 10.0), (20_000, 1.0), (20_000, 200.0)] {
        let corner = |number: usize| [(number * 7919 % 4001) as f32, (number * 104_729 % 4003) as f32];
        let boxes: Vec<_> = (0..count).map(corner).map(|[x, y]| [x, y, x + side, y + side]).collect();
        let scores: Vec<f32> = (0..count).map(|number| (number * 7907 % 4007) as f32).collect();
        let spread: Vec<i64> = (0..count).map(|number| i64::from(number % 2 == 0) << 40).collect();
        for class_ids in [None, Some(spread)] {
            refuse_each_kept("nms", || nms(level, &boxes, &scores, class_ids.as_deref(), 0.5));
        }
    }
}

fn refuse_in_letterbox(level: Level) {
    let target = Size { height: 640, width: 640 };
    for (height, width) in [(720, 1280), (1280, 1280), (640, 640), (30, 100), (20_000, 3), (3, 20_000)] {
        let bytes = vec![7; height * width * 3];
        let image: Vec<&[u8]> = bytes.chunks(width * 3).collect();
        let plan = || Plan::new(Size { height, width }, target, level);
        if (height, width) != (640, 640) {
            refuse_each("a plan", plan);
        }
        let (plan, out) = (plan().unwrap(), RefCell::new(vec![0.0_f32; 3 * 640 * 640]));
        for threads in [1, 2] {
            refuse_each("letterbox", || {
                let job = Job { plan: &plan, image: &image, out: &mut out.borrow_mut(), border: true };
                Plan::fill_batch([job].into(), &Format::planes(false), threads)
            });
        }
    }
}
