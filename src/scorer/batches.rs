//! Cutting work into batches of like length.

/// Splits indices `0..costs.len()` into batches, cheapest first, each of at most `budget` when
/// padded to its dearest member; one that exceeds the budget alone is a batch of its own.
pub fn batches(costs: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by_key(|&index| costs[index]);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * costs[index] <= budget => batch.push(index),
            _ => batches.push(vec![index]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn batches_keep_to_the_budget_and_lose_nothing() {
        let costs = [5, 1, 9, 3, 30, 2];
        let batches = batches(&costs, 10);
        let mut seen: Vec<usize> = batches.concat();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
        for batch in batches {
            let dearest = batch.iter().map(|&index| costs[index]).max().unwrap();
            assert!(batch.len() == 1 || batch.len() * dearest <= 10);
        }
    }
}
