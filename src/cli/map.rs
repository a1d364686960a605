//! The anchors on a plane: t-SNE (van der Maaten and Hinton 2008), exact, since they are few.
//!
//! It starts from the two main axes instead of random places, so that the same bundle always gets
//! the same map.

use crate::bundle::MapPoint;
use crate::metric;

/// Effective neighbours of an anchor.
const PERPLEXITY: f64 = 10.0;
/// Steps of the descent, the first of them with exaggerated affinities.
const STEPS: usize = 1000;
const EXAGGERATED: usize = 250;
const EXAGGERATION: f64 = 4.0;
/// What distances within a family are multiplied by: relatives are kept together.
const FAMILY: f64 = 0.7;
/// Neighbours that [`kept`] looks at.
const NEIGHBOURS: usize = 10;

type Point = [f64; 2];

/// Lays out the anchors `names` by their cosines, `[names x names]`; x and y from -1 to 1.
pub fn layout(names: &[String], cosines: &[f32]) -> Vec<MapPoint> {
    let parents: Vec<Option<String>> = names.iter().map(|name| parent(name)).collect();
    let places = places(&families(names), cosines);
    let points = names.iter().zip(parents).zip(places);
    let points = points.map(|((name, parent), [x, y])| MapPoint {
        metric: name.clone(),
        parent,
        x: rounded(x),
        y: rounded(y),
    });
    points.collect()
}

/// Share of each anchor's [`NEIGHBOURS`] nearest by cosine that are among as many nearest on the map.
pub fn kept(map: &[MapPoint], cosines: &[f32]) -> f64 {
    let count = map.len();
    let k = NEIGHBOURS.min(count.saturating_sub(1));
    if k == 0 {
        return 1.0;
    }
    let places: Vec<Point> = map.iter().map(|p| [p.x.into(), p.y.into()]).collect();
    let shared = (0..count).map(|of| {
        let near = nearest(count, of, k, |to| -f64::from(cosines[of * count + to]));
        let shown = nearest(count, of, k, |to| apart(places[of], places[to]));
        near.iter().filter(|anchor| shown.contains(anchor)).count()
    });
    shared.sum::<usize>() as f64 / (count * k) as f64
}

/// The `k` others with the smallest distance from anchor `of`.
fn nearest(count: usize, of: usize, k: usize, distance: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut others: Vec<usize> = (0..count).filter(|&other| other != of).collect();
    others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    others.truncate(k);
    others
}

fn parent(name: &str) -> Option<String> {
    let known = metric::find(name).and_then(|metric| metric.parent.clone());
    known.or_else(|| name.split_once('/').map(|(parent, _)| parent.to_owned()))
}

/// The family of each name: its parent, or itself.
fn families(names: &[String]) -> Vec<String> {
    let family = |name: &String| parent(name).unwrap_or_else(|| name.clone());
    names.iter().map(family).collect()
}

/// Four decimals: more would differ from machine to machine.
fn rounded(value: f64) -> f32 {
    ((value * 1e4).round() / 1e4) as f32
}

fn places(families: &[String], cosines: &[f32]) -> Vec<Point> {
    let count = families.len();
    if count < 2 {
        return vec![[0.0; 2]; count];
    }
    let cosine = |i: usize, j: usize| f64::from(cosines[i * count + j]);
    let distances = matrix(count, |i, j| {
        let near = if families[i] == families[j] {
            FAMILY
        } else {
            1.0
        };
        near * (2.0 - 2.0 * cosine(i, j)).max(0.0)
    });
    let affinities = affinities(&distances, count);
    fit(descend(start(&distances, count), &affinities))
}

fn matrix(count: usize, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let cells = 0..count * count;
    cells
        .map(|cell| value(cell / count, cell % count))
        .collect()
}

/// Joint probabilities of neighbourhood from squared distances; they sum to 1.
fn affinities(distances: &[f64], count: usize) -> Vec<f64> {
    let perplexity = PERPLEXITY.min((count as f64 - 1.0) / 3.0).max(1.0);
    let rows = distances.chunks_exact(count).enumerate();
    let rows: Vec<f64> = rows
        .flat_map(|(own, row)| conditional(row, own, perplexity))
        .collect();
    matrix(count, |i, j| {
        (rows[i * count + j] + rows[j * count + i]) / (2 * count) as f64
    })
}

/// Gaussian probabilities of a row's neighbours, of the width that gives it the perplexity.
fn conditional(row: &[f64], own: usize, perplexity: f64) -> Vec<f64> {
    let (mut low, mut high, mut sharpness) = (0.0, f64::INFINITY, 1.0);
    let mut probabilities = Vec::new();
    for _ in 0..60 {
        probabilities = gaussian(row, own, sharpness);
        let terms = probabilities.iter().filter(|p| **p > 0.0);
        let entropy = -terms.map(|p| p * p.ln()).sum::<f64>();
        if entropy > perplexity.ln() {
            low = sharpness;
        } else {
            high = sharpness;
        }
        sharpness = match high.is_finite() {
            true => (low + high) / 2.0,
            false => sharpness * 2.0,
        };
    }
    probabilities
}

fn gaussian(row: &[f64], own: usize, sharpness: f64) -> Vec<f64> {
    let others = row.iter().enumerate().filter(|(index, _)| *index != own);
    let least = others.map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
    let weight = |(index, distance): (usize, &f64)| match index == own {
        true => 0.0,
        false => (sharpness * (least - distance)).exp(),
    };
    let weights: Vec<f64> = row.iter().enumerate().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Classical scaling: the two main axes of the doubly centred distances, small.
fn start(distances: &[f64], count: usize) -> Vec<Point> {
    let mean = |i: usize| distances[i * count..][..count].iter().sum::<f64>() / count as f64;
    let means: Vec<f64> = (0..count).map(mean).collect();
    let whole = means.iter().sum::<f64>() / count as f64;
    let mut products = matrix(count, |i, j| {
        (means[i] + means[j] - whole - distances[i * count + j]) / 2.0
    });
    let mut axes = [0, 1].map(|axis| {
        let vector = main_axis(&products, count, axis);
        let value = length(&product(&products, &vector));
        products.iter_mut().enumerate().for_each(|(cell, entry)| {
            *entry -= value * vector[cell / count] * vector[cell % count];
        });
        vector
            .into_iter()
            .map(|v| v * value.sqrt())
            .collect::<Vec<_>>()
    });
    let scale = 1e-2 / (length(&axes[0]) / (count as f64).sqrt()).max(1e-12);
    axes.iter_mut().flatten().for_each(|value| *value *= scale);
    let [x, y] = axes;
    x.into_iter().zip(y).map(|(x, y)| [x, y]).collect()
}

/// The eigenvector of the largest eigenvalue, by power iteration from a fixed start.
fn main_axis(products: &[f64], count: usize, axis: usize) -> Vec<f64> {
    let mut vector: Vec<f64> = (0..count)
        .map(|index| ((index + 1) as f64 * (1.7 + axis as f64)).sin())
        .collect();
    for _ in 0..300 {
        vector = product(products, &vector);
        let norm = length(&vector).max(1e-300);
        vector.iter_mut().for_each(|value| *value /= norm);
    }
    vector
}

fn product(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    let dot = |row: &[f64]| row.iter().zip(vector).map(|(a, b)| a * b).sum();
    matrix.chunks_exact(vector.len()).map(dot).collect()
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Gradient descent with momentum on the divergence from `affinities`.
fn descend(mut places: Vec<Point>, affinities: &[f64]) -> Vec<Point> {
    let rate = (places.len() as f64 / EXAGGERATION).max(10.0);
    let mut moves = vec![[0.0; 2]; places.len()];
    for step in 0..STEPS {
        let early = step < EXAGGERATED;
        let (exaggeration, momentum) = if early {
            (EXAGGERATION, 0.5)
        } else {
            (1.0, 0.8)
        };
        let gradient = gradient(&places, affinities, exaggeration);
        for ((place, step), slope) in places.iter_mut().zip(&mut moves).zip(gradient) {
            for axis in 0..2 {
                step[axis] = momentum * step[axis] - rate * slope[axis];
                place[axis] += step[axis];
            }
        }
    }
    places
}

fn gradient(places: &[Point], affinities: &[f64], exaggeration: f64) -> Vec<Point> {
    let count = places.len();
    let kernel = matrix(count, |i, j| match i == j {
        true => 0.0,
        false => 1.0 / (1.0 + apart(places[i], places[j])),
    });
    let sum: f64 = kernel.iter().sum();
    let slope = |i: usize| {
        let mut slope = [0.0; 2];
        for j in 0..count {
            let near = kernel[i * count + j];
            let pull = 4.0 * (exaggeration * affinities[i * count + j] - near / sum) * near;
            slope[0] += pull * (places[i][0] - places[j][0]);
            slope[1] += pull * (places[i][1] - places[j][1]);
        }
        slope
    };
    (0..count).map(slope).collect()
}

/// Squared distance.
fn apart(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// Centred, and scaled so that the longer side fills -1 to 1.
fn fit(mut places: Vec<Point>) -> Vec<Point> {
    let range = |axis: usize| {
        let values = places.iter().map(move |place| place[axis]);
        let low = values.clone().fold(f64::INFINITY, f64::min);
        (low, values.fold(f64::NEG_INFINITY, f64::max))
    };
    let ranges = [range(0), range(1)];
    let half = ranges.map(|(low, high)| (high - low) / 2.0);
    let scale = 1.0 / half[0].max(half[1]).max(1e-12);
    for place in &mut places {
        for axis in 0..2 {
            let middle = (ranges[axis].0 + ranges[axis].1) / 2.0;
            place[axis] = ((place[axis] - middle) * scale).clamp(-1.0, 1.0);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anchors on a circle, five to a family, and their cosines.
    fn circle(count: usize) -> (Vec<String>, Vec<f32>) {
        let angle = |i: usize| i as f64 * std::f64::consts::TAU / count as f64;
        let names = (0..count).map(|i| format!("family{}/metric{i}", i / 5));
        let cosines = matrix(count, |i, j| (angle(i) - angle(j)).cos());
        let cosines = cosines.into_iter().map(|cosine| cosine as f32);
        (names.collect(), cosines.collect())
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let (names, cosines) = circle(60);
        let map = layout(&names, &cosines);
        assert!(map.iter().all(|p| p.x.abs() <= 1.0 && p.y.abs() <= 1.0));
        assert_eq!(map[7].parent.as_deref(), Some("family1"));
        assert!(kept(&map, &cosines) > 0.8, "{}", kept(&map, &cosines));
        let mut shuffled = map.clone();
        for (index, point) in shuffled.iter_mut().enumerate() {
            (point.x, point.y) = (map[index * 37 % 60].x, map[index * 37 % 60].y);
        }
        assert!(kept(&shuffled, &cosines) < 0.4);
    }

    #[test]
    fn the_same_anchors_get_the_same_map() {
        let (names, cosines) = circle(30);
        assert_eq!(layout(&names, &cosines), layout(&names, &cosines));
    }

    #[test]
    fn few_anchors_and_equal_ones_have_places_too() {
        for count in 0..5 {
            let (names, _) = circle(count);
            let map = layout(&names, &vec![1.0; count * count]);
            assert_eq!(map.len(), count);
            assert!(map.iter().all(|p| p.x.is_finite() && p.y.is_finite()));
        }
    }
}
