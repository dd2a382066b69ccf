"""Asks for a URL with the HTTP client of AWS's SDK for Python, set up as the SDK does."""
import os
import sys

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

url = sys.argv[1]
session = URLLib3Session(verify=os.environ.get("AWS_CA_BUNDLE", True), proxies=get_environ_proxies(url))
print(session.send(AWSRequest("GET", url).prepare()).text)
