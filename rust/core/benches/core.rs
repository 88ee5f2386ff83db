//! The core by level: `cargo bench`. Results are checked against the scalar level before they are timed.

#![expect(clippy::unwrap_used, reason = "benches may panic")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers are small"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use yoloxfast_core::{BOX_COLUMNS, Element, Format, Grid, Job, Level, Options, Plan, PostProcessor, Rows, Size, nms};

const SIDE: usize = 640;
const CLASSES: usize = 80;
const COLUMNS: usize = BOX_COLUMNS + CLASSES;

/// A generator of numbers, for inputs that are the same on each run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }
}

/// A raw output in which `seeing` of 8400 anchors see something, with scores spread evenly over powers of ten.
fn raw_output(anchors: usize, seeing: usize) -> Vec<f32> {
    let mut random = Random(seeing as u64);
    let mut raw = vec![0.0; anchors * COLUMNS];
    for (index, row) in raw.chunks_mut(COLUMNS).enumerate() {
        row[..4].fill_with(|| random.between(-1.0, 2.0));
        let sees = index * seeing / anchors != (index + 1) * seeing / anchors;
        row[4] = if sees { 10_f32.powf(random.between(-3.0, 0.0)) } else { random.between(0.0, 0.0005) };
        row[5..].fill_with(|| random.between(0.0, 0.05));
        row[5 + index % 5] = random.between(0.3, 1.0);
    }
    raw
}

fn post_processor(level: Level) -> PostProcessor {
    PostProcessor::new(Grid::new(SIDE, SIDE, &[8, 16, 32]).unwrap(), CLASSES, level).unwrap()
}

fn run_at_each_level<T: Element>(criterion: &mut Criterion, name: &str, raw: &[T], options: &Options) {
    let raw = Rows::new(raw, raw.len() / COLUMNS, COLUMNS).unwrap();
    let expected = post_processor(Level::SCALAR).run(raw, 1.0, options).unwrap();
    let mut group = criterion.benchmark_group(name);
    for level in Level::available() {
        let post = post_processor(level);
        assert_eq!(post.run(raw, 1.0, options).unwrap(), expected);
        group.bench_function(level.name(), |bencher| bencher.iter(|| post.run(black_box(raw), 1.0, options)));
    }
    group.finish();
}

/// What reading the objectness of each anchor costs, without waiting for one to read the next: the floor of
/// post-processing.
fn floor(criterion: &mut Criterion) {
    const AT_ONCE: usize = 4;
    let anchors = Grid::count_anchors(SIDE, SIDE, &[8, 16, 32]).unwrap();
    let raw = raw_output(anchors, 5);
    criterion.bench_function("strided read of the objectness", |bencher| {
        bencher.iter(|| {
            let mut highest = [0.0; AT_ONCE];
            for rows in black_box(&raw).chunks_exact(AT_ONCE * COLUMNS) {
                for (row, highest) in highest.iter_mut().enumerate() {
                    *highest = f32::max(*highest, rows[row * COLUMNS + 4]);
                }
            }
            highest
        });
    });
}

fn decoding(criterion: &mut Criterion) {
    let raw = raw_output(Grid::count_anchors(SIDE, SIDE, &[8, 16, 32]).unwrap(), 5);
    let raw = Rows::new(&raw, raw.len() / COLUMNS, COLUMNS).unwrap();
    let expected = post_processor(Level::SCALAR).decode(raw).unwrap();
    let mut group = criterion.benchmark_group("decoding of all anchors");
    for level in Level::available() {
        let post = post_processor(level);
        assert_eq!(post.decode(raw).unwrap(), expected);
        group.bench_function(level.name(), |bencher| bencher.iter(|| post.decode(black_box(raw))));
    }
    group.finish();
}

fn postprocess(criterion: &mut Criterion) {
    let anchors = Grid::count_anchors(SIDE, SIDE, &[8, 16, 32]).unwrap();
    for seeing in [5, 500, 2500, anchors] {
        let raw = raw_output(anchors, seeing);
        let narrow: Vec<f16> = raw.iter().map(|value| f16::from_f32(*value)).collect();
        for (score_threshold, iou_threshold) in [(0.3, 0.45), (0.001, 0.65)] {
            let options = Options::new(CLASSES).and_then(|options| options.score_threshold(score_threshold));
            let options = options.and_then(|options| options.iou_threshold(iou_threshold)).unwrap();
            let name = format!("{seeing} of {anchors} anchors at {score_threshold}");
            run_at_each_level(criterion, &format!("{name}, f32"), &raw, &options);
            run_at_each_level(criterion, &format!("{name}, f16"), &narrow, &options);
        }
    }
}

/// Boxes spread over a field that grows with them, or 20 near-copies of each of fewer.
fn boxes(count: usize, copies: usize) -> (Vec<[f32; 4]>, Vec<f32>, Vec<i64>) {
    let mut random = Random(count as u64);
    let field = 40.0 * (count as f32 / copies as f32).sqrt();
    let (mut boxes, mut class_ids) = (Vec::new(), Vec::new());
    for _ in 0..count / copies {
        let [x, y] = [0; 2].map(|_| random.between(0.0, field));
        let [width, height] = [0; 2].map(|_| random.between(10.0, 100.0));
        let class_id = random.between(0.0, 80.0) as i64;
        for _ in 0..copies {
            let mut near = |value: f32| if copies > 1 { value + random.between(-3.0, 3.0) } else { value };
            boxes.push([near(x), near(y), near(x + width), near(y + height)]);
            class_ids.push(class_id);
        }
    }
    let scores = (0..boxes.len()).map(|_| random.next()).collect();
    (boxes, scores, class_ids)
}

fn suppression(criterion: &mut Criterion) {
    for (kind, copies) in [("sparse", 1), ("clustered", 20)] {
        for by_class in [true, false] {
            let classes = if by_class { "class-aware" } else { "class-agnostic" };
            let mut group = criterion.benchmark_group(format!("NMS, {kind}, {classes}"));
            for count in [100, 1_000, 10_000, 50_000] {
                let (boxes, scores, class_ids) = boxes(count, copies);
                let class_ids = by_class.then_some(class_ids.as_slice());
                let expected = nms(Level::SCALAR, &boxes, &scores, class_ids, 0.45).unwrap();
                group.throughput(Throughput::Elements(count as u64));
                for level in Level::available() {
                    let call = || nms(level, black_box(&boxes), &scores, class_ids, 0.45).unwrap();
                    assert_eq!(call(), expected);
                    group.bench_function(BenchmarkId::new(level.name(), count), |bencher| bencher.iter(call));
                }
            }
            group.finish();
        }
    }
}

fn letterbox(criterion: &mut Criterion) {
    let target = Size { height: SIDE, width: SIDE };
    for (height, width) in [(480, 640), (600, 800), (720, 1280), (1080, 1920), (2160, 3840), (375, 500)] {
        let mut random = Random(width as u64);
        let image: Vec<u8> = (0..3 * height * width).map(|_| random.between(0.0, 255.0) as u8).collect();
        let rows: Vec<&[u8]> = image.chunks(3 * width).collect();
        let prepared = |level| Plan::new(Size { height, width }, target, level).unwrap();
        let (format, mut expected) = (Format::planes(false), vec![0.0_f32; 3 * SIDE * SIDE]);
        prepared(Level::SCALAR).fill(&rows, &mut expected, &format).unwrap();
        let mut group = criterion.benchmark_group(format!("Letterbox of {width}x{height} to {SIDE}x{SIDE}, f32"));
        for level in Level::available() {
            let (plan, mut out) = (prepared(level), vec![0.0; expected.len()]);
            plan.fill(&rows, &mut out, &format).unwrap();
            assert_eq!(out, expected);
            group.bench_function(level.name(), |bencher| {
                bencher.iter(|| {
                    let job = Job { plan: &plan, image: black_box(&rows), out: &mut out, border: false };
                    Plan::fill_batch(vec![job], &format, 1)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, floor, decoding, postprocess, suppression, letterbox);
criterion_main!(benches);
