# French. A no-break space (U+00A0) stands before an exclamation mark.

welcome-student =
    .title = Bienvenue sur MedTrack !
    .content =
        { $names ->
            [none] Bonjour ! Votre profil étudiant a été créé avec succès.
           *[both] Bonjour { $full-name } ! Votre profil étudiant a été créé avec succès.
        }

welcome-encadrant =
    .title = Bienvenue parmi les encadrants !
    .content =
        { $names ->
            [none] Bonjour ! Votre profil d'encadrant a été créé. Vous pouvez maintenant encadrer des étudiants pendant leurs stages.
            [first] Bonjour { $full-name } ! Votre profil d'encadrant a été créé. Vous pouvez maintenant encadrer des étudiants pendant leurs stages.
           *[both] Bonjour Dr { $last-name } ! Votre profil d'encadrant a été créé. Vous pouvez maintenant encadrer des étudiants pendant leurs stages.
        }

stage-created =
    .title = Nouveau stage
    .content = Un nouveau stage a été créé pour vous. Il n'est pas encore accepté.

stage-accepted =
    .title = Stage accepté !
    .content =
        { $dated ->
            [no] Félicitations ! Votre stage a été accepté.
           *[yes] Félicitations ! Votre stage a été accepté et commencera le { date }.
        }

stage-rejected =
    .title = Stage refusé
    .content = Votre stage a été refusé.

stage-started =
    .title = Stage commencé
    .content = Votre stage a commencé.

stage-completed =
    .title = Stage terminé !
    .content =
        { $dated ->
            [no] Votre stage est terminé. Veuillez attendre votre évaluation.
           *[yes] Votre stage s'est terminé le { date }. Veuillez attendre votre évaluation.
        }

stage-cancelled =
    .title = Stage annulé
    .content = Votre stage a été annulé.

evaluation-created =
    .title = Nouvelle évaluation
    .content = Votre stage a été évalué.

evaluation-updated =
    .title = Évaluation modifiée
    .content = L'évaluation de votre stage a été modifiée.

grade-assigned =
    .title = Note finale
    .content = Votre stage a reçu sa note finale.

# How many notifications are unread.
unread =
    { $count ->
        [0] Vous n'avez aucune notification non lue.
        [one] Vous avez { $count } notification non lue.
        [many] Vous avez { $count } de notifications non lues.
       *[other] Vous avez { $count } notifications non lues.
    }

# A day, in the texts above.
date = { day } { month } { $year }

month =
    { $month ->
        [1] janvier
        [2] février
        [3] mars
        [4] avril
        [5] mai
        [6] juin
        [7] juillet
        [8] août
        [9] septembre
        [10] octobre
        [11] novembre
       *[12] décembre
    }

day =
    { $day ->
        [1] 1er
       *[2] { $day }
    }
