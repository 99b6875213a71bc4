"""From rows and resources to CloudWatch's datapoints and back: plan, batch, fetch, convert."""
