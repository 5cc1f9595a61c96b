"""Logs in for each request: an operation that is tried out may end the session."""

import os

import requests
import schemathesis


@schemathesis.auth(refresh_interval=None)
class Administrator:
    def get(self, case, context):
        response = requests.post(
            os.environ["GATEWAY_URL"] + "/auth/api/v1/login",
            json={"email": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]},
            timeout=10,
        )
        response.raise_for_status()
        return response.json()["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
