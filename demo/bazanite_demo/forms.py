"""The forms that people fill in, and what each field must be.

What only the database knows (a name that is taken, a project that is gone) is told by it when the
form is saved; ``put_error`` sets that beside the field too.
"""

from __future__ import annotations

import re
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import (
    DataRequired,
    InputRequired,
    NumberRange,
    Optional,
    StopValidation,
    ValidationError,
)

from bazanite import DBError, IntegrityError

from .noted import NotedDB
from .tables import (
    EMAIL_BYTES,
    LONGEST_TEXT,
    NAME_BYTES,
    PRIORITIES,
    PROJECT_STATUSES,
    ROLES,
    TASK_STATUSES,
    TITLE_BYTES,
)

NOBODY = "0"
"""The choice that stands for no user."""
_NOT_THERE = "Please choose again: there is no such choice (any more)."
_HOURS = "Please enter whole hours from 0 to 999."
_HIDDEN = ("version", "was", "csrf_token")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def stripped(text: str | None) -> str:
    """Without spaces around, and lines ended as everywhere but in HTTP."""
    return (text or "").replace("\r\n", "\n").strip()


def _one_line(text: str) -> str:
    """As browsers do it: a row of a table file is a line, too."""
    return re.sub(r"[\r\n]+", " ", text)


class Fits:
    """Refuses text that the column cannot hold: it has so many bytes, and no control characters."""

    def __init__(self, size: int, unit: str = "bytes") -> None:
        self._size = size
        self._unit = unit

    def __call__(self, _form: FlaskForm, field: Field) -> None:
        text = field.data or ""
        if _CONTROLS.search(text):
            raise ValidationError("Please leave out control characters.")
        size = len(text.encode()) if self._unit == "bytes" else len(text)
        if size > self._size:
            beyond = " (an accented letter takes two)" if not text.isascii() else ""
            raise ValidationError(
                f"Please shorten this: it has {size:,} {self._unit}, and {self._size:,} fit"
                f"{beyond if self._unit == 'bytes' else ''}."
            )


def _whole(_form: FlaskForm, field: Field) -> None:
    """Says the same of what is no number, and says it once."""
    if field.process_errors:
        field.errors = []
        raise StopValidation(_HOURS)


def _required(what: str) -> DataRequired:
    return DataRequired(message=f"Please enter {what}.")


def _line(label: str, what: str, size: int, *filters: Any) -> StringField:
    return StringField(
        label, filters=[stripped, _one_line, *filters], validators=[_required(what), Fits(size)]
    )


def _text(label: str, what: str | None = None) -> TextAreaField:
    validators: list[Any] = [] if what is None else [_required(what)]
    validators.append(Fits(LONGEST_TEXT, "characters"))
    return TextAreaField(label, filters=[stripped], validators=validators)


def _choice(label: str, choices: dict[Any, str], default: Any) -> SelectField:
    return SelectField(
        label,
        choices={str(key): text for key, text in choices.items()},
        default=str(default),
        validators=[InputRequired(message="Please choose one.")],
        invalid_choice_message=_NOT_THERE,
    )


def _id(value: Any) -> int | None:
    """Of a choice; None for nobody."""
    text = str(value)
    return int(text) if text.isdecimal() and text.isascii() and text != NOBODY else None


def _other(label: str, *, optional: bool = False, **options: Any) -> SelectField:
    validators: list[Any] = [] if optional else [InputRequired(message="Please choose one.")]
    return SelectField(
        label,
        coerce=_id,
        choices={},
        validators=validators,
        invalid_choice_message=_NOT_THERE,
        **options,
    )


class VersionedForm(FlaskForm):  # type: ignore[misc]  # it ships no types
    """``version``: of the row that the form was filled in for; ``was``: what stood there."""

    version = HiddenField()
    was = HiddenField()

    def visible(self) -> list[Field]:
        """The fields that people fill in."""
        return [field for field in self if field.name not in _HIDDEN]

    def values(self) -> dict[str, Any]:
        """What to store."""
        return {field.name: field.data for field in self.visible()}

    def version_given(self) -> int:
        """A number; 0 for whatever is none, which no row has."""
        text = self.version.data or ""
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0

    def offer(self, db: NotedDB) -> None:
        """Load the choices that stand in the database."""


class UserForm(VersionedForm):
    """A user."""

    name = _line("Name", "a name", NAME_BYTES)
    email = _line("E-mail", "an address", EMAIL_BYTES, str.lower)  # so that each is there once
    role = _choice("Role", ROLES, "member")

    def validate_email(self, field: Field) -> None:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", field.data):
            raise ValidationError("Please enter an address such as ada@example.org.")


class ProjectForm(VersionedForm):
    """A project."""

    name = _line("Name", "a name", TITLE_BYTES)
    owner = _other("Owner")
    status = _choice("Status", PROJECT_STATUSES, "active")
    due = DateField("Due", validators=[Optional()])
    description = _text("Description")

    def offer(self, db: NotedDB) -> None:
        self.owner.choices = _users(db)


class TaskForm(VersionedForm):
    """A task in a project."""

    title = _line("Title", "a title", TITLE_BYTES)
    project = _other("Project")
    assignee = _other("Assigned to", optional=True)
    status = _choice("Status", TASK_STATUSES, "todo")
    priority = _choice("Priority", PRIORITIES, 2)
    due = DateField("Due", validators=[Optional()])
    hours = IntegerField(
        "Estimated hours",
        validators=[Optional(), _whole, NumberRange(0, 999, _HOURS)],
    )
    description = _text("Description")

    def offer(self, db: NotedDB) -> None:
        projects = db.find("projects", fields=["id", "name"], order_by="name")
        self.project.choices = {str(row["id"]): row["name"] for row in projects}
        self.assignee.choices = {NOBODY: "Nobody yet", **_users(db)}

    def values(self) -> dict[str, Any]:
        return {**super().values(), "priority": int(self.priority.data)}


class CommentForm(VersionedForm):
    """A comment on a task."""

    author = _other("From", optional=True)
    text = _text("Comment", "a comment")

    def offer(self, db: NotedDB) -> None:
        self.author.choices = {NOBODY: "Nobody in particular", **_users(db)}


class DeleteForm(VersionedForm):
    """Only the version, and the token against forged requests."""


def put_error(form: VersionedForm, error: Exception) -> None:
    """Set what the database said of the values beside the field that it is about.

    An error that no field can mend is raised again.
    """
    if isinstance(error, IntegrityError) and error.columns:
        (name, *_) = error.columns
        if name in form:
            form[name].errors = [f"There is one with this {form[name].label.text.lower()} already."]
            return
    elif isinstance(error, ValueError) and not isinstance(error, DBError):
        references = [field for field in form if getattr(field, "coerce", None) is _id]
        if references:
            for field in references:
                field.errors = [*field.errors, "What was chosen may just have been deleted."]
            return
    elif isinstance(error, DBError):
        for field in form:
            if str(error).startswith(f"'{field.name}'"):
                field.errors = [*field.errors, str(error)]
                return
    raise error


def _users(db: NotedDB) -> dict[str, str]:
    users = db.find("users", fields=["id", "name"], order_by="name")
    return {str(row["id"]): row["name"] for row in users}
