"""What sharing means, without database or network: options, access, plans, evidence, life cycle, audit, template."""
