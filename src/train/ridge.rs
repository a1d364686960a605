//! Ridge regression in closed form: the baseline that every trained head stands beside.
//!
//! Features are standardised, the intercept is not penalised, and the penalty is chosen by inner
//! folds that keep groups whole. Sums run in f64 on two threads.

use crate::error::{Error, ErrorKind, Result};

/// Penalties tried, per row and standardised feature.
const PENALTIES: [f64; 6] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0];
/// Inner folds that choose among them.
const INNER: usize = 3;
/// Rows standardised at a time; the panel of 1,600 features then fits a second-level cache.
const PANEL: usize = 64;
/// Side of the square of sums that one panel updates at a time.
const TILE: usize = 128;
const THREADS: usize = 2;

/// A linear model of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    weights: Vec<f64>,
    intercept: f64,
    penalty: f64,
}

impl Ridge {
    /// Fits `y` (`[n]`) by `x` (`[n, width]`, rows one after another). `groups` holds the group
    /// of each row (see [`Groups::of`](super::split::Groups::of)); the penalty with the smallest
    /// squared error over inner folds of whole groups is taken.
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `Data` if a value is not finite, or if there are fewer
    /// groups than inner folds.
    pub fn fit(x: &[f32], width: usize, y: &[f32], groups: &[usize]) -> Result<Self> {
        let data = Data::new(x, width, y)?;
        let folds = inner_folds(groups, y.len())?;
        let parts: Vec<Sums> = (0..INNER)
            .map(|f| Sums::of(&data, |row| folds[row] == f))
            .collect();
        let whole = parts
            .iter()
            .fold(Sums::zero(width), |sum, part| sum.plus(part, 1.0));
        let mut errors = [0.0; PENALTIES.len()];
        for (fold, part) in parts.iter().enumerate() {
            let rest = whole.clone().plus(part, -1.0);
            let held: Vec<usize> = (0..y.len()).filter(|&row| folds[row] == fold).collect();
            for (error, added) in errors.iter_mut().zip(held_out(&data, rest, &held)?) {
                *error += added;
            }
        }
        let best = (0..errors.len())
            .min_by(|&a, &b| errors[a].total_cmp(&errors[b]))
            .unwrap_or(0);
        data.model(whole.centred().solve(PENALTIES[best])?, PENALTIES[best])
    }

    /// Fits with a given `penalty` per row and standardised feature.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and `Data` if the features do not determine the weights (a penalty
    /// above zero cures that).
    pub fn fit_with(x: &[f32], width: usize, y: &[f32], penalty: f64) -> Result<Self> {
        let data = Data::new(x, width, y)?;
        if !(penalty >= 0.0 && penalty.is_finite()) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("ridge penalty {penalty}, expected 0 or more"),
            ));
        }
        data.model(Sums::of(&data, |_| true).centred().solve(penalty)?, penalty)
    }

    /// The predicted scores of the rows of `x` (`[n, width]`), not clamped to 0-10.
    ///
    /// # Errors
    /// `Shape` if `x` is not rows of the width fitted.
    pub fn predict(&self, x: &[f32]) -> Result<Vec<f32>> {
        let width = self.weights.len();
        if !x.len().is_multiple_of(width) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{} values are no rows of {width}", x.len()),
            ));
        }
        let score = |row: &[f32]| {
            row.iter()
                .zip(&self.weights)
                .map(|(x, w)| f64::from(*x) * w)
                .sum::<f64>()
        };
        Ok(x.chunks_exact(width)
            .map(|row| (self.intercept + score(row)) as f32)
            .collect())
    }

    /// The weights of the features as given, and the intercept.
    pub fn parameters(&self) -> (&[f64], f64) {
        (&self.weights, self.intercept)
    }

    /// The penalty taken, per row and standardised feature.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }
}

/// Rows with what standardises them.
struct Data<'a> {
    x: &'a [f32],
    width: usize,
    y: &'a [f32],
    means: Vec<f64>,
    /// One over the standard deviation; zero for a feature that is constant.
    scales: Vec<f64>,
}

impl<'a> Data<'a> {
    fn new(x: &'a [f32], width: usize, y: &'a [f32]) -> Result<Self> {
        check(x, width, y)?;
        let n = y.len() as f64;
        let mut means = vec![0.0; width];
        for row in x.chunks_exact(width) {
            means
                .iter_mut()
                .zip(row)
                .for_each(|(m, x)| *m += f64::from(*x) / n);
        }
        let mut squares = vec![0.0; width];
        for row in x.chunks_exact(width) {
            let both = squares.iter_mut().zip(row.iter().zip(&means));
            both.for_each(|(s, (x, m))| *s += (f64::from(*x) - m).powi(2) / n);
        }
        let constant = |(square, mean): (&f64, &f64)| {
            square.sqrt() <= 1e-9 * mean.abs().max(f64::MIN_POSITIVE)
        };
        let scale = |(s, m)| {
            if constant((s, m)) {
                0.0
            } else {
                1.0 / s.sqrt()
            }
        };
        let scales = squares.iter().zip(&means).map(scale).collect();
        Ok(Self {
            x,
            width,
            y,
            means,
            scales,
        })
    }

    /// Appends row `i`, standardised.
    fn standardise(&self, i: usize, out: &mut Vec<f64>) {
        let row = self.x[i * self.width..(i + 1) * self.width].iter();
        out.extend(
            row.zip(self.means.iter().zip(&self.scales))
                .map(|(x, (m, s))| (f64::from(*x) - m) * s),
        );
    }

    /// The solution for standardised features, turned into one for the features as given.
    fn model(&self, (weights, intercept): (Vec<f64>, f64), penalty: f64) -> Result<Ridge> {
        let weights: Vec<f64> = weights
            .iter()
            .zip(&self.scales)
            .map(|(w, s)| w * s)
            .collect();
        let shift: f64 = weights.iter().zip(&self.means).map(|(w, m)| w * m).sum();
        Ok(Ridge {
            weights,
            intercept: intercept - shift,
            penalty,
        })
    }
}

fn check(x: &[f32], width: usize, y: &[f32]) -> Result<()> {
    let (found, rows) = (x.len(), y.len());
    if width == 0 || found != width * rows {
        let message = format!("{found} feature values for {rows} scores, expected {width} a row");
        return Err(Error::new(ErrorKind::Shape, message));
    }
    if rows < 2 {
        return Err(Error::new(
            ErrorKind::Data,
            format!("ridge regression needs 2 rows, found {rows}"),
        ));
    }
    if let Some(i) = x.iter().position(|x| !x.is_finite()) {
        let message = format!(
            "row {}, feature {}: {} is not finite",
            i / width + 1,
            i % width + 1,
            x[i]
        );
        return Err(Error::new(ErrorKind::Data, message));
    }
    match y.iter().position(|y| !y.is_finite()) {
        Some(i) => Err(Error::new(
            ErrorKind::Data,
            format!("row {}: score {} is not finite", i + 1, y[i]),
        )),
        None => Ok(()),
    }
}

/// The inner fold of each row: the groups, largest first, each into the emptiest fold.
fn inner_folds(groups: &[usize], rows: usize) -> Result<Vec<usize>> {
    if groups.len() != rows {
        return Err(Error::new(
            ErrorKind::Shape,
            format!("{} groups for {rows} rows", groups.len()),
        ));
    }
    let mut sizes = std::collections::BTreeMap::new();
    groups
        .iter()
        .for_each(|g| *sizes.entry(*g).or_insert(0usize) += 1);
    if sizes.len() < INNER {
        let message = format!(
            "{} different prompts, at least {INNER} are needed to choose a penalty",
            sizes.len()
        );
        return Err(Error::new(ErrorKind::Data, message));
    }
    let mut order: Vec<(usize, usize)> = sizes.into_iter().collect();
    order.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let mut loads = [0; INNER];
    let mut folds = std::collections::HashMap::new();
    for (group, size) in order {
        let fold = (0..INNER).min_by_key(|&f| loads[f]).unwrap_or(0);
        loads[fold] += size;
        folds.insert(group, fold);
    }
    Ok(groups.iter().map(|g| folds[g]).collect())
}

/// Squared errors on the `held` rows of a fit on the others, one a penalty, shared by threads.
fn held_out(data: &Data, rest: Sums, held: &[usize]) -> Result<Vec<f64>> {
    let normal = rest.centred();
    let error = |penalty: &f64| {
        let solution = normal.solve(*penalty)?;
        let model = data.model(solution, *penalty)?;
        let square = |&row: &usize| {
            let predicted = model.predict(&data.x[row * data.width..(row + 1) * data.width])?;
            Ok(f64::from(predicted[0] - data.y[row]).powi(2))
        };
        held.iter().map(square).sum::<Result<f64>>()
    };
    let share = PENALTIES.len().div_ceil(THREADS);
    std::thread::scope(|scope| {
        let work = |part: &'static [f64]| {
            scope.spawn(move || part.iter().map(error).collect::<Result<Vec<f64>>>())
        };
        let handles: Vec<_> = PENALTIES.chunks(share).map(work).collect();
        handles.into_iter().try_fold(
            Vec::new(),
            |all, handle| Ok([all, joined(handle)?].concat()),
        )
    })
}

fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sums over standardised rows `z` with scores `y`: all that a fit needs.
#[derive(Clone)]
struct Sums {
    n: f64,
    z: Vec<f64>,
    y: f64,
    zy: Vec<f64>,
    /// `[width, width]`, the lower triangle (column at most row) filled.
    zz: Vec<f64>,
}

impl Sums {
    fn zero(width: usize) -> Self {
        Self {
            n: 0.0,
            z: vec![0.0; width],
            y: 0.0,
            zy: vec![0.0; width],
            zz: vec![0.0; width * width],
        }
    }

    /// The sums over the rows that `take` takes, half on each thread.
    fn of(data: &Data, take: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..data.y.len()).filter(|&row| take(row)).collect();
        let share = rows.len().div_ceil(THREADS).max(1);
        std::thread::scope(|scope| {
            let work = |part| scope.spawn(move || Self::over(data, part));
            let handles: Vec<_> = rows.chunks(share).map(work).collect();
            let parts = handles.into_iter().map(|h| {
                h.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            parts
                .reduce(|a, b| a.plus(&b, 1.0))
                .unwrap_or_else(|| Self::zero(data.width))
        })
    }

    fn over(data: &Data, rows: &[usize]) -> Self {
        let mut sums = Self::zero(data.width);
        let mut panel = Vec::with_capacity(PANEL * data.width);
        for part in rows.chunks(PANEL) {
            panel.clear();
            part.iter()
                .for_each(|&row| data.standardise(row, &mut panel));
            sums.add_moments(&panel, part.iter().map(|&row| f64::from(data.y[row])));
            // Rows of zeros fill the last panel up to whole fours.
            panel.resize(part.len().next_multiple_of(4) * data.width, 0.0);
            sums.add_products(&panel);
        }
        sums
    }

    fn add_moments(&mut self, panel: &[f64], scores: impl Iterator<Item = f64>) {
        for (row, y) in panel.chunks_exact(self.z.len()).zip(scores) {
            self.n += 1.0;
            self.y += y;
            for ((z, zy), x) in self.z.iter_mut().zip(&mut self.zy).zip(row) {
                *z += x;
                *zy += x * y;
            }
        }
    }

    /// Adds the products of the panel's columns, tile by tile, four rows at a time.
    fn add_products(&mut self, panel: &[f64]) {
        let width = self.z.len();
        for top in (0..width).step_by(TILE) {
            for left in (0..=top).step_by(TILE) {
                for rows in panel.chunks_exact(4 * width) {
                    self.add_tile(rows, top, left);
                }
            }
        }
    }

    fn add_tile(&mut self, rows: &[f64], top: usize, left: usize) {
        let width = self.z.len();
        for i in top..(top + TILE).min(width) {
            let end = (left + TILE).min(i + 1);
            let [a, b, c, d] = [0, 1, 2, 3].map(|r| &rows[r * width..][left..end]);
            let [p, q, r, s] = [0, 1, 2, 3].map(|r| rows[r * width + i]);
            let sums = &mut self.zz[i * width..][left..end];
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *sum += p * a + q * b + r * c + s * d;
            }
        }
    }

    /// These sums with `sign` times the `other`.
    fn plus(mut self, other: &Self, sign: f64) -> Self {
        let add = |to: &mut [f64], from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(x, y)| *x += sign * y)
        };
        add(&mut self.z, &other.z);
        add(&mut self.zy, &other.zy);
        add(&mut self.zz, &other.zz);
        self.n += sign * other.n;
        self.y += sign * other.y;
        self
    }

    /// The normal equations around these rows' own means, so that the intercept is free.
    fn centred(mut self) -> Normal {
        let width = self.z.len();
        let means: Vec<f64> = self.z.iter().map(|z| z / self.n).collect();
        let mean = self.y / self.n;
        for (i, row) in self.zz.chunks_exact_mut(width).enumerate() {
            row[..=i]
                .iter_mut()
                .zip(&means)
                .for_each(|(zz, m)| *zz -= self.z[i] * m);
        }
        self.zy
            .iter_mut()
            .zip(&self.z)
            .for_each(|(zy, z)| *zy -= z * mean);
        Normal {
            n: self.n,
            means,
            mean,
            products: self.zz,
            right: self.zy,
        }
    }
}

/// Centred products of standardised features, and of those with the scores.
struct Normal {
    n: f64,
    means: Vec<f64>,
    mean: f64,
    /// Lower triangle.
    products: Vec<f64>,
    right: Vec<f64>,
}

impl Normal {
    /// Weights of the standardised features, and the intercept.
    fn solve(&self, penalty: f64) -> Result<(Vec<f64>, f64)> {
        let width = self.means.len();
        let mut lower = self.products.clone();
        for i in 0..width {
            // A constant feature has no products: one on the diagonal gives it weight zero.
            let empty = if self.products[i * width + i] == 0.0 {
                1.0
            } else {
                0.0
            };
            lower[i * width + i] += penalty * self.n + empty;
        }
        cholesky(&mut lower, width, 1e-12 * self.n)?;
        let weights = back_substitute(&lower, forward_substitute(&lower, self.right.clone()));
        let intercept = self.mean
            - weights
                .iter()
                .zip(&self.means)
                .map(|(w, m)| w * m)
                .sum::<f64>();
        Ok((weights, intercept))
    }
}

/// Turns the lower triangle of a symmetric matrix into its Cholesky factor, row by row.
fn cholesky(a: &mut [f64], width: usize, least: f64) -> Result<()> {
    for i in 0..width {
        let (above, rest) = a.split_at_mut(i * width);
        let row = &mut rest[..=i];
        for j in 0..i {
            let other = &above[j * width..][..=j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if pivot.is_nan() || pivot <= least {
            let message = format!(
                "feature {} is determined by those before it; raise the ridge penalty",
                i + 1
            );
            return Err(Error::new(ErrorKind::Data, message));
        }
        row[i] = pivot.sqrt();
    }
    Ok(())
}

fn forward_substitute(lower: &[f64], mut x: Vec<f64>) -> Vec<f64> {
    let width = x.len();
    for i in 0..width {
        let row = &lower[i * width..][..=i];
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
    x
}

fn back_substitute(lower: &[f64], mut x: Vec<f64>) -> Vec<f64> {
    let width = x.len();
    for i in (0..width).rev() {
        let row = &lower[i * width..][..=i];
        x[i] /= row[i];
        let known = x[i];
        x[..i]
            .iter_mut()
            .zip(row)
            .for_each(|(x, l)| *x -= l * known);
    }
    x
}

/// Four running sums, so that the compiler may use vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (x, y) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = x
        .remainder()
        .iter()
        .zip(y.remainder())
        .map(|(p, q)| p * q)
        .sum();
    for (p, q) in x.zip(y) {
        for lane in 0..4 {
            sums[lane] += p[lane] * q[lane];
        }
    }
    rest + sums.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even numbers in -1..1 that look random and are the same everywhere.
    fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn linear(x: &[f32], width: usize, weights: &[f32]) -> Vec<f32> {
        x.chunks_exact(width)
            .map(|row| 5.0 + row.iter().zip(weights).map(|(a, b)| a * b).sum::<f32>())
            .collect()
    }

    fn rmse(a: &[f32], b: &[f32]) -> f32 {
        (a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f32>() / a.len() as f32).sqrt()
    }

    #[test]
    fn without_a_penalty_a_linear_score_is_found_exactly() {
        let (width, n) = (TILE + 3, 2 * (TILE + 3) + 1);
        let (x, weights) = (noise(n * width, 1), noise(width, 2));
        let y = linear(&x, width, &weights);
        let ridge = Ridge::fit_with(&x, width, &y, 0.0).unwrap();
        let unseen = noise(20 * width, 3);
        let error = rmse(
            &ridge.predict(&unseen).unwrap(),
            &linear(&unseen, width, &weights),
        );
        assert!(error < 1e-3, "{error}");
    }

    /// One feature of mean 3 and standard deviation 2 around it, penalty 1: half the slope.
    #[test]
    fn the_penalty_shrinks_the_slope_and_not_the_intercept() {
        let ridge =
            Ridge::fit_with(&[1.0, 5.0, 1.0, 5.0], 1, &[10.0, 2.0, 10.0, 2.0], 1.0).unwrap();
        let found = ridge.predict(&[3.0, 5.0]).unwrap();
        assert!(
            (found[0] - 6.0).abs() < 1e-6 && (found[1] - 4.0).abs() < 1e-6,
            "{found:?}"
        );
    }

    #[test]
    fn the_penalty_follows_the_noise() {
        let (width, n) = (20, 120);
        let (x, groups) = (
            noise(n * width, 4),
            (0..n).map(|i| i / 2).collect::<Vec<_>>(),
        );
        let clean = linear(&x, width, &noise(width, 5));
        let random: Vec<f32> = noise(n, 6).iter().map(|e| 5.0 + 3.0 * e).collect();
        let (sure, unsure) = (
            Ridge::fit(&x, width, &clean, &groups).unwrap(),
            Ridge::fit(&x, width, &random, &groups).unwrap(),
        );
        assert!(
            sure.penalty() < 0.01 && unsure.penalty() >= 0.3,
            "{} {}",
            sure.penalty(),
            unsure.penalty()
        );
        let unseen = noise(20 * width, 7);
        assert!(
            rmse(
                &sure.predict(&unseen).unwrap(),
                &linear(&unseen, width, &noise(width, 5))
            ) < 0.05
        );
    }

    #[test]
    fn inner_folds_keep_groups_whole() {
        let groups = [5, 5, 5, 1, 2, 1, 9, 5];
        let folds = inner_folds(&groups, 8).unwrap();
        assert!((0..8).all(|i| (0..8).all(|j| groups[i] != groups[j] || folds[i] == folds[j])));
        assert!((0..INNER).all(|f| folds.contains(&f)));
        assert_eq!(
            inner_folds(&[1, 1, 2], 3).unwrap_err().kind(),
            ErrorKind::Data
        );
    }

    #[test]
    fn a_feature_or_score_that_never_changes_is_no_trouble() {
        let x = [0.1, 1.0, 0.1, 2.0, 0.1, 4.0, 0.1, 3.0];
        let ridge = Ridge::fit(&x, 2, &[1.0, 2.0, 4.0, 3.0], &[0, 1, 2, 3]).unwrap();
        assert!(ridge.predict(&x).unwrap().iter().all(|y| y.is_finite()));
        let ridge = Ridge::fit(&x, 2, &[7.0; 4], &[0, 1, 2, 3]).unwrap();
        assert!(
            ridge
                .predict(&[9.0, 9.0])
                .unwrap()
                .iter()
                .all(|y| (y - 7.0).abs() < 1e-5)
        );
    }

    #[test]
    fn features_that_repeat_each_other_need_a_penalty() {
        let x = [1.0, 2.0, 2.0, 4.0, 5.0, 10.0];
        let error = Ridge::fit_with(&x, 2, &[1.0, 2.0, 3.0], 0.0).unwrap_err();
        assert!(
            error.kind() == ErrorKind::Data && error.to_string().contains("feature 2"),
            "{error}"
        );
        assert!(Ridge::fit_with(&x, 2, &[1.0, 2.0, 3.0], 0.1).is_ok());
    }

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let kind = |x: &[f32], y: &[f32]| Ridge::fit_with(x, 2, y, 1.0).unwrap_err();
        assert_eq!(kind(&[1.0; 3], &[1.0; 2]).kind(), ErrorKind::Shape);
        assert!(
            kind(&[1.0, 1.0, 1.0, f32::NAN], &[1.0; 2])
                .to_string()
                .contains("row 2, feature 2: NaN")
        );
        assert!(
            kind(&[1.0; 4], &[1.0, f32::INFINITY])
                .to_string()
                .contains("row 2: score inf")
        );
        assert_eq!(kind(&[1.0; 2], &[1.0]).kind(), ErrorKind::Data);
        let ridge = Ridge::fit_with(&[1.0, 2.0], 1, &[1.0, 2.0], f64::NAN);
        assert_eq!(ridge.unwrap_err().kind(), ErrorKind::Input);
        let ridge = Ridge::fit_with(&[1.0, 0.0, 2.0, 1.0], 2, &[1.0, 2.0], 1.0).unwrap();
        assert_eq!(
            ridge.predict(&[1.0; 3]).unwrap_err().kind(),
            ErrorKind::Shape
        );
    }
}
