"""ORDERS THE STEPS: Prefect flows, functions only. What they do is in tasks/, what they decide in models/."""
