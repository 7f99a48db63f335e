"""Notices that are no feed lines: customer success, account managers, ratings, integrity, merged tickets, operators."""
