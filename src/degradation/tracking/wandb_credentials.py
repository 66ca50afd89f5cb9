"""Check wandb's credentials through wandb itself, which alone knows where it looks for a key."""

from dataclasses import dataclass, field
from typing import Any

from degradation.tracking.wandb_process import WandbError, describe_error, import_wandb


class MissingKey(WandbError):
    """wandb has no credentials for its server."""


@dataclass
class _Messages:
    """What wandb would print on a terminal; `wandb.termsetup` calls these three methods."""

    warnings: list[str] = field(default_factory=list)

    def info(self, message: str) -> None:
        """Ignore a message that reports no problem."""

    def warning(self, message: str) -> None:
        self.warnings.append(message.removeprefix("wandb: ").removeprefix("WARNING "))

    error = warning


def check_credentials() -> None:
    """Raise an error unless wandb would find valid credentials for its server.

    wandb looks in the environment, the netrc file and its settings files. It is not allowed to ask
    for a key, and nothing is sent or written. Must not be called inside a `wandb_session`.

    Raises:
        MissingKey: there are no credentials.
        WandbError: the credentials or the settings cannot be read, or wandb rejects their form.
    """
    messages = _Messages()
    try:
        import_wandb()
        host, credentials = _find_credentials(messages)
    # wandb raises many kinds of errors, such as for a malformed host or a missing home folder
    except Exception as error:
        raise WandbError(describe_error(error)) from None
    if credentials is not None:
        return
    if messages.warnings:
        reason = "; ".join(messages.warnings)
        raise WandbError(describe_error(f"no API key for {host} can be read: {reason}"))
    raise MissingKey(f"no API key for {host}: run `wandb login`, or set WANDB_API_KEY")


def _find_credentials(messages: _Messages) -> tuple[str, Any]:
    """Return the URL of wandb's server, and wandb's credentials for it or None.

    The public `wandb.login(prompt=False)` is not used, since it changes the user's settings files
    and ignores every key where WANDB_MODE is offline.
    """
    import wandb
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib import wbauth

    quiet = wandb.Settings(silent=True)
    try:
        wandb.termsetup(quiet, messages)
        host = wandb_setup.singleton().settings.base_url  # reads the settings files
        wandb.termsetup(quiet, messages)  # reading the settings has undone the first call
        credentials = wbauth.authenticate_session(
            host=host, source="degradation", prompt=False, update_session=False
        )
    finally:
        wandb.teardown()
    return host, credentials
