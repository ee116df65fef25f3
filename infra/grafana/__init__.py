"""Dashboards of Grafana as code: ``panels`` says what is on them, ``generate`` writes the files that Grafana reads."""
