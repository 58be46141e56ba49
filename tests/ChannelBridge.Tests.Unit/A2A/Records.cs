using System.Text.Json;
using ChannelBridge.A2A;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>Makes records of A2A for the property tests: whatever is legal and has a place in both versions.</summary>
internal static class Records
{
    private static readonly Gen<string> Word = Gen.Elements(
        "a", "b-1", "ключ", "会话", "with space", "\"quoted\"\n", "\u2028", "🙂", "x/y%2f");

    private static readonly Gen<string?> Maybe = Gen.OneOf(Gen.Constant<string?>(null), Word.Select(static text => (string?)text));

    private static readonly Gen<JsonElement?> MaybeObject = Gen.Elements("""{"k":1}""", """{"n":{"deep":[1,2,{"x":null}]}}""", """{"s":"é"}""")
        .Select(static text => (JsonElement?)Json(text))
        .OrNullStruct();

    private static readonly Gen<JsonElement> AnyJson = Gen.Elements("""{"key":"value","count":42}""", "[1,2]", "\"text\"", "12.5", "true", "{}").Select(Json);

    public static Gen<A2APart> Part { get; } =
        from kind in Gen.Choose(0, 3)
        from text in Word
        from bytes in Gen.Choose(0, 255).Select(static value => (byte)value).ArrayOf()
        from data in AnyJson
        from metadata in MaybeObject
        from name in Maybe
        from type in Maybe
        select kind switch
        {
            0 => new A2APart { Text = text, Metadata = metadata },
            1 => new A2APart { Raw = bytes, Metadata = metadata, Filename = name, MediaType = type },
            2 => new A2APart { Url = "https://example.com/" + text.Length, Metadata = metadata, Filename = name, MediaType = type },
            _ => new A2APart { Data = data, Metadata = metadata },
        };

    public static Gen<A2AMessage> Message { get; } =
        from id in Word
        from context in Maybe
        from task in Maybe
        from role in Gen.Elements(MessageRole.User, MessageRole.Agent)
        from parts in Part.NonEmptyListOf()
        from metadata in MaybeObject
        from extensions in Word.ListOf().Select(static list => (IReadOnlyList<string>)list).OrNull()
        from references in Word.ListOf().Select(static list => (IReadOnlyList<string>)list).OrNull()
        select new A2AMessage
        {
            MessageId = id,
            ContextId = context,
            TaskId = task,
            Role = role,
            Parts = [.. parts],
            Metadata = metadata,
            Extensions = extensions,
            ReferenceTaskIds = references,
        };

    public static Gen<A2AArtifact> Artifact { get; } =
        from id in Word
        from name in Maybe
        from description in Maybe
        from parts in Part.ListOf()
        from metadata in MaybeObject
        select new A2AArtifact { ArtifactId = id, Name = name, Description = description, Parts = [.. parts], Metadata = metadata };

    public static Gen<TaskState> State { get; } = Gen.Elements(
        TaskState.Submitted, TaskState.Working, TaskState.Completed, TaskState.Failed, TaskState.Canceled, TaskState.InputRequired, TaskState.Rejected, TaskState.AuthRequired);

    public static Gen<A2ATaskStatus> Status { get; } =
        from state in State
        from message in Message.OrNull()
        from seconds in Gen.Choose(0, 2_000_000_000)
        from milliseconds in Gen.Choose(0, 999)
        select new A2ATaskStatus
        {
            State = state,
            Message = message,
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds((seconds * 1000L) + milliseconds),
        };

    public static Gen<A2ATask> Task { get; } =
        from id in Word
        from context in Word
        from status in Status
        from artifacts in Artifact.ListOf().Select(static list => (IReadOnlyList<A2AArtifact>)list).OrNull()
        from history in Message.ListOf().Select(static list => (IReadOnlyList<A2AMessage>)list).OrNull()
        from metadata in MaybeObject
        select new A2ATask { Id = id, ContextId = context, Status = status, Artifacts = artifacts, History = history, Metadata = metadata };

    public static Gen<StreamItem> Item { get; } = Gen.OneOf(
        Task.Select(static task => new StreamItem { Task = task }),
        Message.Select(static message => new StreamItem { Message = message }),
        Change("t"));

    public static Gen<SendRequest> Send { get; } =
        from message in Message
        from now in Gen.Elements(true, false)
        from length in Gen.Elements<int?>(null, 1, 20)
        from token in Maybe
        from pushes in Gen.Elements(true, false)
        from metadata in MaybeObject
        select new SendRequest
        {
            Message = message,
            Metadata = metadata,
            Configuration = new SendConfiguration
            {
                ReturnImmediately = now,
                HistoryLength = length,
                AcceptedOutputModes = ["text/plain"],
                TaskPushNotificationConfig = pushes
                    ? new PushConfig
                    {
                        Id = "p",
                        Url = "https://example.com/push",
                        Token = token,
                        Authentication = new PushAuthentication { Scheme = "Bearer", Credentials = "c" },
                    }
                    : null,
            },
        };

    /// <summary>Changes of one task.</summary>
    public static Gen<StreamItem> Change(string task) => Gen.OneOf(
        from status in Status
        from metadata in MaybeObject
        select new StreamItem
        {
            StatusUpdate = new TaskStatusUpdate { TaskId = task, ContextId = "c", Status = status, Metadata = metadata },
        },
        from artifact in Artifact
        from append in Gen.Elements(true, false)
        from last in Gen.Elements(true, false)
        select new StreamItem
        {
            ArtifactUpdate = new TaskArtifactUpdate
            {
                TaskId = task,
                ContextId = "c",
                Artifact = artifact,
                Append = append,
                LastChunk = last,
            },
        });

    public static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    /// <summary>Records compare by what they say, not by which arrays hold it.</summary>
    public static string Text<T>(A2ACodec<T> codec, T value)
        where T : class => System.Text.Encoding.UTF8.GetString(codec.ToBytes(value));

    private static Gen<T?> OrNull<T>(this Gen<T> some)
        where T : class => Gen.OneOf(Gen.Constant<T?>(null), some.Select(static value => (T?)value));

    private static Gen<T?> OrNullStruct<T>(this Gen<T?> some)
        where T : struct => Gen.OneOf(Gen.Constant<T?>(null), some);
}
