"""House rules that a machine checks.

The rules are in rules_*.py, test_rules.py proves each of them, test_tree.py holds the tree to them.
"""
