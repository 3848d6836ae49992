"""Every address: what it answers, with what status, and what is written down of it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from ecgvision.core.errors import OutputError
from ecgvision.deploy.predict import predict_file
from ecgvision.deploy.serve.audit import Audit
from ecgvision.deploy.serve.problems import STATUS
from ecgvision.records.reading import read_record
from tests.deploy import documents
from tests.deploy.serve.conftest import blank, picture

EVERY = {"include": ["labels", "signal", "page", "wfdb", "csv", "pdf"]}


def test_predictions_are_those_of_the_command(serve, tmp_path: Path) -> None:
    server, data = serve(), picture()
    (tmp_path / "a.png").write_bytes(data)
    wanted = predict_file(server.student, tmp_path / "a.png").to_dict()
    for reply in (server.client.post("/v1/predict", content=data),
                  server.client.post("/v1/predict", files={"file": ("../../a.png", data)})):  # fmt: skip
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert body["bundle"] == server.student.id
        (one,) = body["results"]
        assert one["page_number"] == 1
        assert {key: one[key] for key in wanted if key != "file"} == {
            key: value for key, value in wanted.items() if key != "file"
        }


def test_the_reader_looks_first_unless_told_not_to(serve) -> None:
    client = serve().client
    refused = client.post("/v1/predict", content=blank())
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unreadable_page")
    assert client.post("/v1/predict?check=false", content=blank()).status_code == 200


def test_a_reading_has_the_parts_that_were_asked_for(serve, tmp_path: Path) -> None:
    client = serve().client
    (plain,) = client.post("/v1/digitize", content=picture()).json()["results"]
    assert not {"labels", "signal", "page", "wfdb", "csv", "pdf"} & set(plain)
    assert plain["leads"]["II"]["confidence"] == 0.9
    (full,) = client.post("/v1/digitize", content=picture(), params=EVERY).json()["results"]
    (alone,) = client.post("/v1/predict", content=picture()).json()["results"]
    assert full["labels"] == {key: alone[key] for key in ("probabilities", "positive")}
    assert full["signal"]["I"] == [None] * 5000
    wanted = np.sin(np.arange(5000) / 500 * 6.28)
    np.testing.assert_allclose(full["signal"]["II"], wanted, atol=1e-3)
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(full["wfdb"])))
    archive.extractall(tmp_path)
    (tmp_path / "ecg.csv").write_bytes(base64.b64decode(full["csv"]))
    for record in ("ecg", "ecg.csv"):
        np.testing.assert_allclose(read_record(tmp_path / record).signal[1], wanted, atol=2e-3)
    assert "research use only" in (tmp_path / "ecg.hea").read_text()
    drawn = pypdfium2.PdfDocument(base64.b64decode(full["pdf"]))
    assert "Research use only" in drawn[0].get_textpage().get_text_range()
    page = full["page"]
    assert page["flat"]
    assert page["image"].startswith("data:image/jpeg;base64,")
    across = np.array([point for point in page["traces"]["II"] if point])
    assert len(across) == 1000
    np.testing.assert_allclose(across[:, 1], page["height"] / 2, atol=page["height"] / 50)
    assert (np.diff(across[:, 0]) > 0).all()


def test_rate_and_gain_are_taken(serve) -> None:
    server = serve()
    query = {"include": "signal", "rate": 100, "gain": 5}
    (found,) = server.client.post("/v1/digitize", content=picture(), params=query).json()["results"]
    assert found["rate"] == 100
    assert len(found["signal"]["II"]) == 1000
    assert found["gain_mm_per_mv_at_25_mm_per_s"] == 5
    wrong = server.client.post("/v1/digitize?rate=1", content=picture())
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_request")
    assert "rate" in wrong.json()["error"]["message"]


def test_every_page_of_a_file_has_its_answer(serve) -> None:
    pages = [documents.numbered(1), np.full((80, 100, 3), 255, np.uint8), documents.numbered(2)]
    client = serve().client
    reply = client.post("/v1/digitize", content=documents.tiff(pages))
    assert reply.status_code == 200
    body = reply.json()
    assert body["pages"] == 3
    assert ["error" in one for one in body["results"]] == [False, True, False]
    none = client.post("/v1/digitize", content=documents.tiff(pages[1:2] * 2))
    assert none.status_code == 422
    assert none.json()["error"]["code"] == "unreadable_page"


REFUSED = {
    "text": (b"hello", 415, "unsupported_format"),
    "svg": (b"<svg xmlns='x'></svg>", 415, "unsupported_format"),
    "cut": (picture()[:-20], 422, "damaged_file"),
    "pages": (documents.tiff([documents.numbered(1)] * 3), 413, "too_large"),
    "nothing": (b"", 422, "invalid_request"),
    "large": (bytes(2_000_000), 413, "too_large"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refusals_are_typed_and_name_no_file(serve, kind: str) -> None:
    server = serve(pages=2, megabytes=1)
    data, status, code = REFUSED[kind]
    for sent in ({"content": data}, {"files": {"file": ("secret-name.png", data)}}):
        reply = server.client.post("/v1/digitize", **sent)
        assert reply.status_code == status == STATUS[code]
        assert reply.json()["error"]["code"] == code
        assert "secret" not in reply.text
        assert reply.headers["x-request-id"]
    assert "secret" not in json.dumps(server.audit())


def test_forms_without_a_file_are_refused(serve) -> None:
    client = serve().client
    form = {"content-type": "multipart/form-data; boundary=x"}
    for content, headers in (
        (b"--x nonsense", form),
        (b"x", {"content-type": "multipart/form-data"}),
    ):
        reply = client.post("/v1/digitize", content=content, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "invalid_request")
    other = client.post("/v1/digitize", files={"other": ("a", picture())})
    assert other.status_code == 422
    many = client.post(
        "/v1/digitize", files=[("file", ("a", picture())), ("file", ("b", picture()))]
    )
    assert many.status_code == 422


def test_without_a_student_there_are_no_labels(serve) -> None:
    client = serve(labels=False).client
    reply = client.post("/v1/predict", content=picture())
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "no_labels")
    model = client.get("/v1/model").json()
    assert (model["student"], model["labels"]) == (None, {})


def test_the_model_is_described(serve) -> None:
    server = serve(megabytes=5)
    model = server.client.get("/v1/model").json()
    assert model["student"] == server.student.id
    assert model["thresholds"] == dict(
        zip(server.student.codes, server.student.thresholds, strict=True)
    )
    assert model["limits"]["megabytes"] == 5
    assert ".pdf" in model["files"]


def test_tokens_are_needed_where_there_are_some(serve) -> None:
    client = serve(tokens=("a" * 20, "b" * 20)).client
    for path, method in {"/v1/model": "GET", "/v1/digitize": "POST", "/metrics": "GET"}.items():
        for header in (
            {},
            {"Authorization": "Bearer " + "c" * 20},
            {"Authorization": "Basic " + "a" * 20},
        ):
            reply = client.request(method, path, headers=header)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
        good = client.request(method, path, headers={"Authorization": "Bearer " + "b" * 20})
        assert good.status_code != 401
    for path in ("/", "/healthz", "/readyz", "/docs", "/static/page.js"):
        assert client.get(path).status_code == 200


def test_names_and_origins_of_others_are_refused(serve) -> None:
    client = serve().client
    for headers in (
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        reply = client.post("/v1/digitize", content=picture(), headers=headers)
        assert reply.status_code == 421
    own = client.post(
        "/v1/digitize", content=picture(), headers={"origin": "http://127.0.0.1:8000"}
    )
    assert own.status_code == 200


def test_an_audit_line_tells_what_was_asked_and_answered(serve) -> None:
    server, data = serve(), picture()
    reply = server.client.post("/v1/predict", files={"file": ("Jane Doe.png", data)})
    server.client.post("/v1/digitize", content=blank())
    first, second = server.audit()
    assert first["input"] == hashlib.sha256(data).hexdigest()
    assert first["bundle"] == server.student.id
    assert first["request"] == reply.headers["x-request-id"]
    assert first["answers"] == [{"positive": reply.json()["results"][0]["positive"]}]
    assert (first["status"], first["endpoint"]) == (200, "/v1/predict")
    assert (second["status"], second["reasons"]) == (422, ["unreadable_page"])
    assert "Jane" not in json.dumps(server.audit())


def test_an_audit_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="audit"):
        Audit(str(tmp_path / "absent" / "audit.jsonl"))


def test_figures_count_pages_refusals_and_labels(serve) -> None:
    server = serve()
    client = server.client
    reply = client.post("/v1/predict", content=picture())
    client.post("/v1/digitize", content=picture())
    client.post("/v1/digitize", content=b"hello")
    client.get("/nowhere/secret")
    text = client.get("/metrics").text
    assert 'ecgvision_pages_total{endpoint="/v1/digitize",result="read"} 1.0' in text
    assert 'ecgvision_pages_total{endpoint="/v1/digitize",result="unsupported_format"} 1.0' in text
    assert 'ecgvision_layouts_total{layout="3x4+II"} 1.0' in text
    for label in reply.json()["results"][0]["positive"]:
        assert f'ecgvision_positive_share{{label="{label}"}} 1.0' in text
    assert 'endpoint="other",status="404"' in text
    assert "secret" not in text


def test_pages_for_people_fetch_nothing_from_elsewhere(serve) -> None:
    client = serve().client
    index = client.get("/")
    assert index.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in index.headers["content-security-policy"]
    texts = [index.text, client.get("/docs").text]
    for name in ("page.css", "page.js", "waveform.js", "icon.svg"):
        reply = client.get(f"/static/{name}")
        assert reply.status_code == 200
        texts.append(reply.text.replace("http://www.w3.org/2000/svg", ""))
    assert not any("http://" in text.replace("http://127.0.0.1:8000", "") or "https://" in text
                   for text in texts)  # fmt: skip
    assert not any(" style=" in text or " onclick" in text for text in texts[:2])
    for path in ("/v1/digitize", "/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics"):
        assert path in texts[1]
    assert client.get("/static/..%2fapp.py").status_code == 404
    assert client.get("/static/app.py").status_code == 404
    assert client.get("/v1/digitize").status_code == 405


def test_every_error_of_the_description_is_documented(serve) -> None:
    schema = serve().client.get("/openapi.json").json()
    for path in ("/v1/digitize", "/v1/predict"):
        about = schema["paths"][path]["post"]
        assert {"200", "401", "408", "413", "415", "422", "429", "503"} <= set(about["responses"])
        assert set(about["requestBody"]["content"]) == {
            "application/octet-stream",
            "multipart/form-data",
        }


def test_a_fault_of_the_program_tells_nothing_of_itself(serve, monkeypatch, capsys) -> None:
    server = serve()

    async def fail(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(server.workers, "run", fail)
    reply = server.client.post("/v1/digitize", content=picture())
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in reply.text
    assert "secret" not in capsys.readouterr().out
    assert server.audit()[-1]["status"] == 500


def test_the_packages_student_answers_by_what_was_read(serve, monkeypatch) -> None:
    from ecgvision.deploy.open_bundle import open_student
    from ecgvision.deploy.serve import work
    from ecgvision.shipped import STUDENT
    from tests.deploy.serve.conftest import READER

    client = serve().client
    work.use(work.Models(READER, open_student(STUDENT, threads=1)))
    (one,) = client.post("/v1/digitize?include=labels", content=picture()).json()["results"]
    assert one["leads"]["II"]["confidence"] == 0.9
    assert "not enough of the page" in one["labels"]["error"]["message"]  # of one lead alone
    reply = client.post("/v1/predict", content=picture())
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "unreadable_page")


def test_support_is_told_of_a_network_of_signals(serve, monkeypatch) -> None:
    from ecgvision.deploy.open_bundle import open_student
    from ecgvision.deploy.serve import work
    from ecgvision.shipped import STUDENT
    from tests.deploy.serve.conftest import READER
    from tests.deploy.test_occlusion import reading

    client = serve().client
    monkeypatch.setattr(work, "digitize", lambda *_, **__: reading())
    student = open_student(STUDENT, threads=1)
    work.use(work.Models(READER, student))
    query = {"include": ["labels", "support"]}
    (one,) = client.post("/v1/digitize", content=picture(), params=query).json()["results"]
    support = one["labels"]["support"]
    assert set(support) == set(student.codes)
    assert {len(values) for leads in support.values() for values in leads.values()} == {10}
    assert any(value for values in support[student.codes[0]].values() for value in values)
