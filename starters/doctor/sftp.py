"""The server where the warehouse lays its stock files: that it is the one we know, lets us in, and shows the folder."""

from clients.errors import ApiError, Rejected, Unauthorised
from clients.sftp import SftpClient
from starters.doctor.finding import Finding, bad, good

NAME = "reconciliation-sftp"
NONE = good(NAME, "none is set")


async def examine_sftp(client: SftpClient) -> Finding:
    """Connect and list, as a look at the files does; nothing is read."""
    try:
        async with client.open() as folder:
            files = await folder.files()
    except Unauthorised as no:
        remedy = (
            "Ask the server's owner. A new password or key: lagerbro connection set sftp --credentials FILE."
            " A new host key, if they tell you the same: lagerbro connect --replace FILE, with it as sftp.host_key."
        )
        return bad(NAME, str(no), remedy)
    except Rejected as wrong:
        return bad(NAME, str(wrong), "Have the folder made or cleared, or correct sftp.folder (lagerbro connect --replace FILE).")
    except ApiError as silent:
        remedy = (
            "Ask whether it runs and lets this computer in, or correct sftp.host and sftp.port (lagerbro connect --replace FILE)."
        )
        return bad(NAME, str(silent), remedy)
    return good(NAME, f"answers with the host key that we know, lets us in; files in the folder: {len(files)}")
