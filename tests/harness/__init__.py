"""Ten integration tests on one whole pipeline: a real broker, a node that reorganises, workers, gateway.

    harness = CrossExExTestHarness(IntegrationTestConfig.default())
    await harness.setup_test_environment()
    results = await harness.run_integration_tests()
    print(harness.generate_test_report())
    await harness.cleanup()

``python -m tests.harness --report FILE`` is the same by command.
"""

from tests.harness.harness import CrossExExTestHarness, IntegrationTestConfig

__all__ = ["CrossExExTestHarness", "IntegrationTestConfig"]
