# English. The texts of the original system stay to the letter, and so do its dates (2026-01-12).

welcome-student =
    .title = Welcome to MedTrack!
    .content =
        { $names ->
            [none] Hello Student! Your student profile has been created successfully.
            [last] Hello Student { $full-name }! Your student profile has been created successfully.
           *[both] Hello { $full-name }! Your student profile has been created successfully.
        }

welcome-encadrant =
    .title = Welcome as Encadrant!
    .content =
        { $names ->
            [none] Hello Encadrant! Your encadrant profile has been created. You can now supervise students during their internships.
            [first] Hello { $full-name }! Your encadrant profile has been created. You can now supervise students during their internships.
           *[both] Hello Dr. { $last-name }! Your encadrant profile has been created. You can now supervise students during their internships.
        }

stage-created =
    .title = New Stage Assignment
    .content = A new internship stage has been created for you. Waiting for acceptance.

stage-accepted =
    .title = Stage Accepted!
    .content =
        { $dated ->
            [no] Congratulations! Your internship stage has been accepted.
           *[yes] Congratulations! Your internship stage has been accepted and will begin on { date }.
        }

stage-rejected =
    .title = Stage Rejected
    .content = Your internship stage has been rejected.

stage-started =
    .title = Stage Started
    .content = Your internship stage has started.

stage-completed =
    .title = Stage Completed!
    .content =
        { $dated ->
            [no] Your internship stage has been marked as completed. Please wait for your evaluation.
           *[yes] Your internship stage has been marked as completed on { date }. Please wait for your evaluation.
        }

stage-cancelled =
    .title = Stage Cancelled
    .content = Your internship stage has been cancelled.

evaluation-created =
    .title = New Evaluation
    .content = Your internship has been evaluated.

evaluation-updated =
    .title = Evaluation Updated
    .content = The evaluation of your internship has been updated.

grade-assigned =
    .title = Final Grade
    .content = Your internship has received its final grade.

# How many notifications are unread.
unread =
    { $count ->
        [0] You have no unread notifications.
        [one] You have { $count } unread notification.
       *[other] You have { $count } unread notifications.
    }

# A day, in the texts above.
date = { $year }-{ month }-{ day }

month =
    { $month ->
        [1] 01
        [2] 02
        [3] 03
        [4] 04
        [5] 05
        [6] 06
        [7] 07
        [8] 08
        [9] 09
       *[10] { $month }
    }

day =
    { $day ->
        [1] 01
        [2] 02
        [3] 03
        [4] 04
        [5] 05
        [6] 06
        [7] 07
        [8] 08
        [9] 09
       *[10] { $day }
    }
